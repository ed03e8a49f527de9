"""Alive, ready, metrics: what a supervisor, a load balancer and Prometheus ask."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis

from crm import clock
from gateway import progress

STALLED_AFTER = timedelta(seconds=60)
CHECK_DEADLINE = 3.0  # seconds; a check still running then has failed

logger = logging.getLogger(__name__)


class Unready(Exception):
    """A check found something wrong; the text may be shown to anybody."""


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process can, whatever it depends on."""
    del request
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 where all checks pass and 503 otherwise, naming each, within a few seconds."""
    del request
    probes = {name: Probe.start(name, check) for name, check in CHECKS.items()}
    found = {name: probe.verdict() for name, probe in probes.items()}
    ready = all(verdict == "ok" for verdict in found.values())
    status = "ok" if ready else "unready"
    response = JsonResponse({"status": status, "checks": found}, status=200 if ready else 503)
    # not being ready is an answer, not a failure of ours to log as one
    response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001
    return response


class Probe:
    """One check running on a thread of its own, so that nobody waits for it beyond the deadline.

    A check that hangs is joined by the next ones instead of starting another beside it.
    """

    running: dict[str, "Probe"] = {}
    lock = threading.Lock()

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        self.name, self.check, self.answer = name, check, ""
        self.thread = threading.Thread(target=self.run, name=f"readyz {name}", daemon=True)

    @classmethod
    def start(cls, name: str, check: Callable[[], None]) -> "Probe":
        """Give the running probe of this name, or start one."""
        with cls.lock:
            probe = cls.running.get(name)
            if probe is None:
                probe = cls.running[name] = cls(name, check)
                probe.thread.start()
            return probe

    def run(self) -> None:
        """Do the check and keep its answer; its database connection ends with it."""
        try:
            self.check()
            self.answer = "ok"
        except Unready as problem:
            self.answer = str(problem)
        except Exception:
            logger.exception("readiness check %s failed", self.name)
            self.answer = "failed"
        finally:
            connection.close()
            with self.lock:
                self.running.pop(self.name, None)

    def verdict(self) -> str:
        """Give the answer, waiting for it until the deadline."""
        self.thread.join(CHECK_DEADLINE)
        return self.answer or "no answer in time"


def check_database() -> None:
    """Ask for one row, and whether the tables are those this code was written for."""
    with transaction.atomic(), connection.cursor() as cursor:
        progress.bound_queries()
        cursor.execute("SELECT 1")
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unready("migrations are not applied")


def check_broker() -> None:
    """Ask the broker for a sign of life."""
    with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as broker:
        broker.ping()


def check_progress() -> None:
    """Look for due work nobody has taken up for too long."""
    waited = progress.stalled_for(clock.now())
    if waited > STALLED_AFTER:
        raise Unready(f"due work has waited {waited.total_seconds():.0f} s and nobody is at it")


CHECKS: Mapping[str, Callable[[], None]] = {
    "database": check_database,
    "broker": check_broker,
    "progress": check_progress,
}


def metrics(request: HttpRequest) -> HttpResponse:
    """Give this process's metrics and the database's, in Prometheus' text format."""
    del request
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


class Rows(Collector):
    """Metrics read from Postgres at each scrape: the same whichever process is asked."""

    def collect(self) -> Iterator[Metric]:
        """Give them all, or only the news that the database does not answer."""
        up = GaugeMetricFamily("gateway_database_up", "Whether the database answers.")
        try:
            found = self.read()
        except Error:
            logger.warning("metrics: the database does not answer")
            found = []
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found

    def describe(self) -> list[Metric]:
        """Give nothing: registering must not ask the database."""
        return []

    @transaction.atomic
    def read(self) -> list[Metric]:
        """Give what the rows say."""
        progress.bound_queries()
        return [
            *self.batches(),
            self.paces(),
            *self.occurrences(progress.occurrence_sums()),
            self.breakers(progress.open_breakers()),
            *self.webhooks(progress.webhooks(clock.now())),
        ]

    def batches(self) -> Iterator[Metric]:
        """Give the queues' lengths and ages, by lane."""
        count = GaugeMetricFamily(
            "gateway_batches_waiting", "Batches that could be sent now.", labels=["lane"]
        )
        age = GaugeMetricFamily(
            "gateway_batches_oldest_seconds", "How long the oldest waits.", labels=["lane"]
        )
        for lane, waiting in progress.waiting_batches(clock.now()).items():
            count.add_metric([lane], waiting.count)
            age.add_metric([lane], waiting.oldest.total_seconds())
        yield count
        yield age

    def paces(self) -> Metric:
        """Give how fast paced credentials may send, and 0 for those a provider wants quiet from."""
        family = GaugeMetricFamily(
            "gateway_pace_per_second",
            "Pushes a second a paced credential may send now.",
            labels=["app", "provider", "credential"],
        )
        for credential, rate in progress.paces().items():
            labels = [credential.app_id, credential.provider, credential.pk]
            family.add_metric([str(label) for label in labels], rate)
        return family

    def occurrences(self, sums: Mapping[str, Any]) -> Iterator[Metric]:
        """Give what became of all pushes, and whether the sums agree."""
        pushes = CounterMetricFamily(
            "gateway_pushes", "Pushes by recorded outcome.", labels=["verdict"]
        )
        for name in progress.VERDICTS:
            pushes.add_metric([name], sums[name])
        yield pushes
        yield CounterMetricFamily(
            "gateway_pushes_targeted", "Pushes planned.", value=sums["targeted"]
        )
        yield CounterMetricFamily(
            "gateway_pushes_replayed", "Pushes sent again.", value=sums["replayed"]
        )
        yield GaugeMetricFamily(
            "gateway_occurrences_unfinished", "Firings at work.", value=sums["unfinished"]
        )
        yield GaugeMetricFamily(
            "gateway_conservation_violations",
            "Firings whose outcomes do not add up; must be 0.",
            value=sums["not_conserved"],
        )

    def webhooks(self, telling: progress.Telling) -> Iterator[Metric]:
        """Give how far webhooks are behind, and how many take nothing."""
        yield GaugeMetricFamily(
            "gateway_webhooks_oldest_seconds",
            "How long the longest-waiting webhook could have been told something.",
            value=telling.oldest.total_seconds(),
        )
        yield GaugeMetricFamily(
            "gateway_webhooks_failing", "Webhooks that wait after a failure.", value=telling.failing
        )
        yield GaugeMetricFamily(
            "gateway_webhooks_stopped", "Webhooks that are told nothing.", value=telling.stopped
        )

    def breakers(self, found: Iterable[progress.OpenBreaker]) -> Metric:
        """Give what is not sent now because a credential is at fault; nothing where all is well."""
        labels = list(progress.OpenBreaker._fields)
        metric = GaugeMetricFamily(
            "gateway_breaker_open", "Nothing is sent, but for a probe now and then.", labels=labels
        )
        for breaker in found:
            metric.add_metric([*map(str, breaker)], 1)
        return metric


REGISTRY.register(Rows())
