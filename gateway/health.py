"""Alive, ready, metrics: what a supervisor, a load balancer and Prometheus ask."""

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import Redis

from crm import clock
from gateway import progress
from gateway.metrics.exposition import CONTENT_TYPE_LATEST, exposition
from gateway.metrics.rows import rows

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
    """Answer 200 where all checks pass and 503 otherwise, naming each, within a few seconds.

    `?only=database` asks for that check alone: who can store a send can accept it.
    """
    wanted = request.GET.getlist("only") or list(CHECKS)
    if unknown := [name for name in wanted if name not in CHECKS]:
        return JsonResponse({"error": f"no such check: {', '.join(unknown)}"}, status=400)
    probes = {name: Probe.start(name, CHECKS[name]) for name in wanted}
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
    """Give what this machine's web processes and the database say, in Prometheus' text format."""
    del request
    return HttpResponse(exposition(rows), content_type=CONTENT_TYPE_LATEST)
