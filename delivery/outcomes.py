"""Write verdicts in bulk: ledger, counters and dead tokens move together or not at all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from crm.commands.token_health import Death, retire_tokens
from delivery.arrays import numbers, texts
from delivery.models import Delivery, Occurrence
from delivery.providers.contract import Outcome, Verdict

RECORD = """
WITH fresh AS (
    INSERT INTO delivery_delivery
           (day, occurrence_id, token_id, install_id, verdict, reason, provider_ref, at)
    SELECT %s, %s, o.token_id, o.install_id, o.verdict, o.reason, o.provider_ref, %s
      FROM unnest(%s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[])
           AS o (token_id, install_id, verdict, reason, provider_ref)
    ON CONFLICT (day, occurrence_id, token_id) DO NOTHING
    RETURNING verdict
)
SELECT verdict, count(*) FROM fresh GROUP BY verdict
"""


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
    with transaction.atomic():
        record_endings(occurrence, endings, installs=installs)
        retire_tokens(
            [
                Death(token_id=o.token_id, reason=o.reason, died_at=o.died_at, proven=o.proven)
                for o in outcomes
                if o.verdict is Verdict.UNREGISTERED
            ]
        )


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
    token_ids, install_ids, *words = zip(*rows, strict=True)
    columns = [numbers(token_ids), numbers(install_ids), *map(texts, words)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(RECORD, [occurrence.ledger_day, occurrence.pk, timezone.now(), *columns])
        fresh = dict(cursor.fetchall())
        if fresh:
            Occurrence.objects.filter(pk=occurrence.pk).update(
                **{Delivery.Verdict(v).value: F(v) + n for v, n in fresh.items()}
            )
