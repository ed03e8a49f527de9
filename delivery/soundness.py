"""Whether the data is whole: asked after a restore, or whenever somebody doubts it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from delivery.ledger import partitions
from delivery.models import Delivery, Notification, Occurrence

VERDICTS = Delivery.Verdict.values

COUNTED = f"""
SELECT o.id FROM delivery_occurrence o
  LEFT JOIN (SELECT occurrence_id, {
    ", ".join(f"count(*) FILTER (WHERE verdict = '{v}') AS {v}" for v in VERDICTS)
}
               FROM delivery_delivery WHERE day >= %s GROUP BY occurrence_id) told
    ON told.occurrence_id = o.id
 WHERE o.ledger_day >= %s
   AND ({" OR ".join(f"o.{v} <> coalesce(told.{v}, 0)" for v in VERDICTS)}
        OR (o.state = ANY(%s) AND o.targeted <> {" + ".join(f"o.{v}" for v in VERDICTS)}))
 ORDER BY o.id
"""  # noqa: S608 - no value


class Unfinished(NamedTuple):
    """A firing that sends something as soon as there are workers."""

    notification_id: int
    app_id: int
    state: str
    due_at: datetime
    pending: int


def disagreeing(*, since: date) -> Sequence[int]:
    """Give firings whose counters and ledger disagree, or whose outcomes do not add up."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, [since, since, list(Occurrence.OVER)])
        return [pk for (pk,) in cursor.fetchall()]


def missing_partitions(*, today: date) -> Sequence[date]:
    """Give the days from today on whose outcomes would land in the default partition."""
    there = set(partitions())
    wanted = (today + timedelta(days=ahead) for ahead in range(2))
    return [day for day in wanted if day not in there]


def unfinished(*, now: datetime) -> Sequence[Unfinished]:
    """Give what goes on, or fires, with the first tick: under way, or due by now."""
    waiting = Occurrence.objects.exclude(state__in=Occurrence.OVER).filter(due_at__lte=now)
    return [
        Unfinished(o.notification_id, o.notification.app_id, o.state, o.due_at, o.pending)
        for o in waiting.filter(held_at=None, called_off_at=None)
        .select_related("notification")
        .order_by("due_at", "pk")
        if o.notification.kind == Notification.Kind.PUSH
    ]
