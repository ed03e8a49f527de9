"""What became of a notification's pushes in detail: by reason, by platform and over time.

Counted from the ledger, which is one look at every push: callers keep what they were told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min

from delivery.models import Notification, Occurrence

MOST_REASONS = 100
"""Kinds of outcomes told apart; providers have a few dozen words."""

BARS = 120
"""Parts the time of a send is cut into, at most."""

WIDTHS = [timedelta(seconds=s) for s in (1, 2, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)]

# by the batches: a token is deleted long before the ledger forgets it
OUTCOMES = """
WITH planned AS (
    SELECT o.id AS occurrence_id, o.ledger_day, b.transport, unnest(b.token_ids) AS token_id
      FROM delivery_occurrence o JOIN delivery_batch b ON b.occurrence_id = o.id
     WHERE o.notification_id = %(notification)s
)
SELECT GROUPING(p.transport), p.transport, d.verdict, d.reason,
       date_bin(%(width)s, d.at, %(since)s), count(*)
  FROM planned p JOIN delivery_delivery d ON d.day = p.ledger_day
   AND d.occurrence_id = p.occurrence_id AND d.token_id = p.token_id
 GROUP BY GROUPING SETS ((p.transport, d.verdict, d.reason),
                         (date_bin(%(width)s, d.at, %(since)s)))
"""

TARGETED = """
SELECT b.transport, sum(cardinality(b.token_ids)) FROM delivery_batch b
  JOIN delivery_occurrence o ON o.id = b.occurrence_id
 WHERE o.notification_id = %(notification)s GROUP BY b.transport
"""

OPENED = "SELECT count(DISTINCT install_id) FROM delivery_open WHERE notification_id = %(id)s"

# the words of `crm.models.Event`'s index
RECEIPTS = """
SELECT count(DISTINCT install_uid) FROM crm_event
 WHERE app_id = %(app)s AND type = 'k.message.delivered' AND data -> 'type' = '1'::jsonb
   AND left(data ->> 'id', 12) = %(id)s::text
"""


class Kind(NamedTuple):
    """How a push ended, and where."""

    transport: str
    verdict: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Breakdown:
    """The details of one notification as they were at one moment.

    `receipts` are installs whose app said that the push arrived: few SDKs say so, and only where
    their app was set up for it. `bars` hold the pushes answered in each `width` from its beginning.
    """

    targeted: Mapping[str, int]
    outcomes: Mapping[Kind, int]
    bars: Sequence[tuple[datetime, int]]
    width: timedelta
    opened: int
    receipts: int


def break_down(notification: Notification, *, now: datetime) -> Breakdown:
    """Count everything a notification's batches, ledger, opens and receipts say."""
    since, width = _course(notification, now=now)
    asked: dict[str, Any] = {"notification": notification.pk, "width": width, "since": since}
    outcomes: dict[Kind, int] = {}
    bars: list[tuple[datetime, int]] = []
    with connection.cursor() as cursor:
        cursor.execute(TARGETED, asked)
        targeted = {transport: int(count) for transport, count in cursor.fetchall()}
        cursor.execute(OUTCOMES, asked)
        for no_kind, transport, verdict, reason, at, count in cursor.fetchall():
            if no_kind:
                bars.append((at, count))
            else:
                outcomes[Kind(transport, verdict, reason)] = count
    return Breakdown(
        targeted=targeted,
        outcomes=_most(outcomes),
        bars=sorted(bars)[-BARS:],
        width=width,
        opened=_number(OPENED, id=notification.pk),
        receipts=_number(RECEIPTS, app=notification.app_id, id=notification.pk),
    )


def opened(notification: Notification) -> int:
    """Give how many installs opened it."""
    return _number(OPENED, id=notification.pk)


def _most(outcomes: Mapping[Kind, int]) -> Mapping[Kind, int]:
    """Give the commonest; what is left has no reason any more."""
    ranked = sorted(outcomes.items(), key=lambda one: -one[1])
    kept = dict(ranked[:MOST_REASONS])
    for kind, count in ranked[MOST_REASONS:]:
        rest = kind._replace(reason="(other reasons)")
        kept[rest] = kept.get(rest, 0) + count
    return kept


def _course(notification: Notification, *, now: datetime) -> tuple[datetime, timedelta]:
    """Give when its pushes began, and the narrowest bars that are not too many."""
    firings = Occurrence.objects.filter(notification=notification, started_at__isnull=False)
    found = firings.aggregate(first=Min("started_at"), last=Max("finished_at"))
    first = found["first"] or now
    running = firings.filter(state__in=Occurrence.UNDER_WAY).exists()
    last = now if running or found["last"] is None else found["last"]
    width = next((w for w in WIDTHS if (last - first) / w < BARS), WIDTHS[-1])
    return first.replace(microsecond=0), width


def _number(sql: str, **asked: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, asked)
        (count,) = cursor.fetchone()
    return int(count)
