"""Write verdicts in bulk: ledger, counters and dead tokens move together or not at all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from operator import attrgetter

from django.db import IntegrityError, connection, transaction

from crm import clock
from crm.commands.token_health import Death, retire_tokens
from crm.models import DeviceToken
from delivery import metrics
from delivery.arrays import numbers, texts
from delivery.models import Delivery, Occurrence
from delivery.models.webhook import Topic
from delivery.outbox import OUTCOMES, Pushes, keep_deaths, listeners
from delivery.providers.contract import Outcome, Verdict
from delivery.statement import run

# A batch mostly ends alike, so a column that only says the usual comes empty: unnest fills it up.
# Counters move in the statement that writes what they count.
RECORD = """
WITH stored AS (
    INSERT INTO delivery_delivery
           (day, occurrence_id, token_id, install_id, verdict, reason, provider_ref, at)
    SELECT %(day)s, %(occurrence)s, o.token_id, o.install_id, coalesce(o.verdict, 'accepted'),
           coalesce(o.reason, ''), coalesce(o.provider_ref, ''), %(at)s
      FROM unnest(%(token_ids)s::int[], %(install_ids)s::bigint[], %(verdicts)s::text[],
                  %(reasons)s::text[], %(provider_refs)s::text[])
           AS o (token_id, install_id, verdict, reason, provider_ref)
    {conflict}
    RETURNING verdict, token_id, install_id
), counted AS ({counted}){told}
UPDATE delivery_occurrence SET {moves} FROM counted WHERE id = %(occurrence)s
"""
VERDICTS = Delivery.Verdict.values
MOVES = ", ".join(f"{v} = delivery_occurrence.{v} + counted.{v}" for v in VERDICTS)
COUNTS = ", ".join(f"count(*) FILTER (WHERE verdict = '{v}') AS {v}" for v in VERDICTS)
GIVEN = ", ".join(f"%({v})s AS {v}" for v in VERDICTS)

STORE = RECORD.format(conflict="", counted=f"SELECT {GIVEN}", moves=MOVES, told="{told}")
STORE_MISSING = RECORD.format(
    conflict="ON CONFLICT (day, occurrence_id, token_id) DO NOTHING",
    counted=f"SELECT {COUNTS} FROM stored",  # noqa: S608 - verdicts are ours
    moves=MOVES,
    told="{told}",
)
"""Twice as dear: for a worker that was thought lost, and the one that followed it."""

# whether webhooks want to hear of it → the statement, and the one that follows a clash
STATEMENTS = {
    False: (STORE.format(told=""), STORE_MISSING.format(told="")),
    True: tuple(sql.format(told=f", told AS ({OUTCOMES})") for sql in (STORE, STORE_MISSING)),
}


TOPICS = {
    DeviceToken.State.DEAD.value: Topic.RETIRED,
    DeviceToken.State.QUARANTINED.value: Topic.QUARANTINED,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a push to one token ended, ready for the ledger."""

    token_id: int
    verdict: str
    reason: str = ""
    provider_ref: str = ""


def record_outcomes(
    occurrence: Occurrence, outcomes: Sequence[Outcome], *, installs: Mapping[int, int | None]
) -> None:
    """Store final outcomes once each, move the counters by what was new, retire dead tokens.

    A death that is not proven puts its token into quarantine: the caller believes it. Writing the
    same outcome again changes nothing, so a replayed batch may repeat itself.
    """
    endings = [Ending(o.token_id, o.verdict.value, o.reason, o.provider_ref) for o in outcomes]
    deaths = [
        Death(token_id=o.token_id, reason=o.reason, died_at=o.died_at, proven=o.proven)
        for o in outcomes
        if o.verdict is Verdict.UNREGISTERED
    ]
    if not deaths:
        record_endings(occurrence, endings, installs=installs)
        return
    with transaction.atomic():
        record_endings(occurrence, endings, installs=installs)
        retired = retire_tokens(deaths)
        _tell_of(retired, occurrence, installs)
    for state, count in Counter(retired.values()).items():
        metrics.RETIRED.labels(state).inc(count)


def _tell_of(
    retired: Mapping[int, str], occurrence: Occurrence, installs: Mapping[int, int | None]
) -> None:
    """Keep for webhooks which tokens were retired or put in doubt, where any is to be told."""
    if not retired or not any(map(listeners.anybody_wants, TOPICS.values())):
        return
    pushes = Pushes(
        app_id=occurrence.notification.app_id,
        occurrence_id=occurrence.pk,
        day=occurrence.ledger_day,
        installs=installs,
        at=clock.now(),
    )
    for state, topic in TOPICS.items():
        keep_deaths(pushes, [i for i, now in retired.items() if now == state], topic=topic)


def record_endings(
    occurrence: Occurrence, endings: Iterable[Ending], *, installs: Mapping[int, int | None]
) -> None:
    """Store endings once each and move the counters by what was new."""
    # in key order: two writers of the same rows wait for each other, and never crosswise
    rows = [
        (e.token_id, installs.get(e.token_id), e.verdict, e.reason, e.provider_ref)
        for e in sorted(endings, key=attrgetter("token_id"))
    ]
    if not rows:
        return
    token_ids, install_ids, verdicts, reasons, provider_refs = zip(*rows, strict=True)
    told = listeners.anybody_wants(Topic.OUTCOME) and listeners.want(
        occurrence.notification.app_id, Topic.OUTCOME
    )
    store, store_missing = STATEMENTS[told]
    facts = {
        "app": occurrence.notification.app_id if told else None,
        "day": occurrence.ledger_day,
        "occurrence": occurrence.pk,
        "at": clock.now(),
        "token_ids": numbers(token_ids),
        "install_ids": numbers(install_ids),
        "verdicts": _column(verdicts, usual="accepted"),
        "reasons": _column(reasons, usual=""),
        "provider_refs": _column(provider_refs, usual=""),
        **{verdict: verdicts.count(verdict) for verdict in VERDICTS},
    }
    try:
        # a statement by itself needs no transaction around it
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            run(store, facts)
    except IntegrityError:
        run(store_missing, facts)


def _column(values: Sequence[str], *, usual: str) -> str:
    return "{}" if values.count(usual) == len(values) else texts(values)
