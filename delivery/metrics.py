"""What the engine counts while it works: once for each batch, page or record, never for each push.

Every metric has labels: a value is made when they are first named, which is when a process knows
where its values are kept (docs/adr/0020).
"""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

PROVIDERS = ("apns", "fcm")
VERDICTS = (
    "accepted",
    "rejected",
    "unregistered",
    "throttled",
    "unavailable",
    "misconfigured",
    "uncertain",
)

ANSWERS = Counter(
    "gateway_answers",
    "Answers of providers to pushes, those asked again included.",
    ["provider", "verdict", "reason"],
)
ANSWER_SECONDS = Histogram(
    "gateway_provider_answer_seconds",
    "From handing a batch to the wire to its first answer.",
    ["provider"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_SECONDS = Histogram(
    "gateway_batch_seconds",
    "From handing a batch to the wire to its last answer recorded.",
    ["provider", "lane"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40),
)
URGENT_SECONDS = Histogram(
    "gateway_request_to_provider_seconds",
    "From a request taken, or its due time, to the wire: urgent batches, first try.",
    ["provider"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
LATENESS = Histogram(
    "gateway_due_lateness_seconds",
    "From the due time of a firing to the begin of its planning.",
    ["lane"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
PLANNED = Counter("gateway_tokens_planned", "Device tokens put into batches.", ["lane"])
PAGE_SECONDS = Histogram(
    "gateway_planning_page_seconds",
    "Time to plan one page of an audience.",
    ["lane"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RECORD_SECONDS = Histogram(
    "gateway_ledger_record_seconds",
    "Age of the oldest answer in a record when it was stored.",
    ["provider"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
LEDGER_LAG = Gauge(
    "gateway_ledger_lag_seconds",
    "Age of the oldest answer the ledger has refused so far; 0 while it takes them.",
    ["provider"],
    multiprocess_mode="livemax",
)
RETIRED = Counter("gateway_tokens_retired", "Device tokens taken out of use.", ["state"])
PUT_OFF = Counter("gateway_batches_put_off", "Batches not sent when their turn came.", ["why"])
IN_FLIGHT = Gauge(
    "gateway_pushes_in_flight",
    "Pushes of batches that are with a provider now.",
    ["provider"],
    multiprocess_mode="livesum",
)
STREAMS = Gauge(
    "gateway_provider_streams",
    "HTTP/2 streams open to a provider.",
    ["provider"],
    multiprocess_mode="livesum",
)
CONNECTIONS = Gauge(
    "gateway_provider_connections",
    "Connections open to a provider.",
    ["provider"],
    multiprocess_mode="livesum",
)
CONNECTION_EVENTS = Counter(
    "gateway_provider_connection_events",
    "What became of connections to a provider.",
    ["provider", "event"],
)
EVENTS = ("opened", "failed", "goaways", "pings_lost", "refused", "resent_unsent")
WHY_PUT_OFF = ("paced", "breaker", "no credential", "held")
RETIRED_STATES = ("dead", "quarantined")


def begin() -> None:
    """Show every series whose labels are known beforehand as 0: a first event is then a rise."""
    for provider in PROVIDERS:
        for gauge in (IN_FLIGHT, STREAMS, CONNECTIONS, LEDGER_LAG):
            gauge.labels(provider).set(0)
        for event in EVENTS:
            CONNECTION_EVENTS.labels(provider, event)
        for verdict in VERDICTS:
            ANSWERS.labels(provider, verdict, "")
    for why in WHY_PUT_OFF:
        PUT_OFF.labels(why)
    for state in RETIRED_STATES:
        RETIRED.labels(state)


def count_answers(
    provider: str, said: Mapping[str, int], why: Mapping[tuple[str, str], int]
) -> None:
    """Count the answers to one batch: `said` all by verdict, `why` those with a (verdict, reason).

    Reasons must be of a bounded vocabulary.
    """
    plain = dict(said)
    for (verdict, reason), count in why.items():
        plain[verdict] = plain.get(verdict, 0) - count
        ANSWERS.labels(provider, verdict, reason).inc(count)
    for verdict, count in plain.items():
        if count > 0:
            ANSWERS.labels(provider, verdict, "").inc(count)
