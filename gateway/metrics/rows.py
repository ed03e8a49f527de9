"""What the database and the broker say: the same whichever web process is asked."""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic

from django.conf import settings
from django.db import Error, transaction
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis, RedisError

from crm import clock
from delivery import tally
from delivery.expiry import Expiry, ending, expiries
from gateway import progress
from gateway.beat import heard_ago

FRESH_FOR = 5.0
"""Seconds an answer serves all who ask: however many scrape, the database is asked so often."""

QUEUES = ("urgent", "planning", "bulk")

logger = logging.getLogger(__name__)


class Rows(Collector):
    """Metrics read from Postgres and the broker, at most every `FRESH_FOR` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._read_at: float | None = None

    def collect(self) -> Iterator[Metric]:
        """Give them all, or of what does not answer only the news that it does not."""
        with self._lock:
            if self._read_at is None or monotonic() - self._read_at >= FRESH_FOR:
                self._kept = [*database(), *broker()]
                self._read_at = monotonic()
            kept = self._kept
        yield from kept


def database() -> Iterator[Metric]:
    """Give what the rows say."""
    began_at = monotonic()
    try:
        found = read()
    except Error:
        logger.warning("metrics: the database does not answer")
        found = []
    up, yes = "gateway_database_up", 1 if found else 0
    yield GaugeMetricFamily(up, "Whether the database answers.", value=yes)
    took = monotonic() - began_at
    yield GaugeMetricFamily("gateway_database_read_seconds", "What asking it took.", value=took)
    yield from found


@transaction.atomic
def read() -> list[Metric]:
    """Give what the rows say, each by a query whose cost does not grow with what is finished."""
    progress.bound_queries()
    return [
        *batches(),
        *occurrences(progress.occurrences(clock.now())),
        *totals(tally.sums()),
        paces(),
        breakers(progress.open_breakers()),
        credentials(expiries(ending(), now=clock.now())),
        *webhooks(progress.webhooks(clock.now())),
    ]


def webhooks(telling: progress.Telling) -> Iterator[Metric]:
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


def batches() -> Iterator[Metric]:
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
    held = GaugeMetricFamily(
        "gateway_batches_held", "Batches that wait for a breaker to close.", value=progress.held()
    )
    sending = GaugeMetricFamily(
        "gateway_batches_sending", "Batches in a worker's hands.", value=progress.sending()
    )
    return iter((count, age, held, sending))


def occurrences(found: progress.Firings) -> Iterator[Metric]:
    """Give the firings that are not over."""
    states = GaugeMetricFamily(
        "gateway_occurrences", "Firings that are not over, by where they are.", labels=["state"]
    )
    for state, count in found.counts.items():
        states.add_metric([state], count)
    yield states
    yield GaugeMetricFamily(
        "gateway_occurrences_oldest_seconds",
        "How long the oldest firing that is due waits for a planner.",
        value=found.oldest.total_seconds(),
    )
    yield GaugeMetricFamily(
        "gateway_occurrences_unfinished", "Firings at work.", value=sum(found.counts.values())
    )


def totals(sums: Mapping[str, int]) -> Iterator[Metric]:
    """Give what became of all pushes, and whether the sums agree."""
    pushes = CounterMetricFamily(
        "gateway_pushes", "Pushes by recorded outcome.", labels=["verdict"]
    )
    for name in progress.VERDICTS:
        pushes.add_metric([name], sums[name])
    yield pushes
    yield CounterMetricFamily("gateway_pushes_targeted", "Pushes planned.", value=sums["targeted"])
    yield CounterMetricFamily(
        "gateway_pushes_replayed", "Pushes sent again.", value=sums["replayed"]
    )
    yield GaugeMetricFamily(
        "gateway_conservation_violations",
        "Firings whose outcomes do not add up; must be 0.",
        value=sums["not_conserved"],
    )


def paces() -> Metric:
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


def breakers(found: Iterable[progress.OpenBreaker]) -> Metric:
    """Give what is not sent now because a credential is at fault; nothing where all is well."""
    metric = GaugeMetricFamily(
        "gateway_breaker_open",
        "Nothing is sent, but for a probe now and then.",
        labels=list(progress.OpenBreaker._fields),
    )
    for breaker in found:
        metric.add_metric([*map(str, breaker)], 1)
    return metric


def credentials(found: Iterable[Expiry]) -> Metric:
    """Give how long the certificates of credentials are still good; negative for those past it."""
    metric = GaugeMetricFamily(
        "gateway_credential_expiry_seconds",
        "Time until a credential's certificate ends.",
        labels=["app", "provider", "credential", "topic"],
    )
    now = clock.now()
    for credential, ends_at, _ in found:
        topic = credential.topic or credential.facts.get("topic", "")
        labels = [str(credential.app_id), credential.provider, str(credential.pk), topic]
        metric.add_metric(labels, (ends_at - now).total_seconds())
    return metric


def broker() -> Iterator[Metric]:
    """Give how many rings wait, and since when nobody has heard the tick's."""
    up = GaugeMetricFamily("gateway_broker_up", "Whether the broker answers.")
    lengths = GaugeMetricFamily(
        "gateway_broker_queue_length", "Rings that wait in a queue.", labels=["queue"]
    )
    ages = GaugeMetricFamily(
        "gateway_beat_heard_seconds",
        "Seconds since a worker last began what the beat rings for.",
        labels=["task"],
    )
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as line:
            for queue in QUEUES:
                lengths.add_metric([queue], line.llen(queue))
            for task, seconds in heard_ago(line).items():
                ages.add_metric([task], seconds)
    except RedisError:
        logger.warning("metrics: the broker does not answer")
        up.add_metric([], 0)
        yield up
        return
    up.add_metric([], 1)
    yield from (up, lengths, ages)


rows = Rows()
"""The one reader of this process."""
