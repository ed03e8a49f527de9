"""Notifications are forgotten when their time is over, and what hangs on them before them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from time import monotonic

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from crm.commands.sweeping import TURN, oldest, sweep
from delivery.models import Batch, InboxItem, Notification, Occurrence, Open

LOOKED_AT = 200
"""Notifications looked at in one step."""


def forget_notifications(*, now: datetime, seconds: float | None = None) -> int:
    """Delete notifications that ended longer ago than `NOTIFICATION_RETENTION`; give how many.

    With them go their firings, opens and inbox items, these first and some at a time. One that may
    still fire stays, however old, with all of its runs. The ledger has nothing of them any more.
    """
    forgotten, until = 0, monotonic() + (TURN if seconds is None else seconds)
    before = now - settings.NOTIFICATION_RETENTION
    for ids in _over(before=before):
        if not _bare(ids, until=until):
            break  # the next sweep goes on
        forgotten += _delete(ids, before=before)
        if monotonic() >= until:
            break
    return forgotten


def _over(*, before: datetime) -> Iterator[Sequence[int]]:
    """Give what ended before a moment, oldest first; the newer part of the table is not read."""
    last, blank = 0, False
    while not blank:
        head = Notification.objects.filter(pk__gt=last).order_by("pk")
        rows = list(head.values_list("pk", "created_at")[:LOOKED_AT])
        old = [pk for pk, created_at in rows if created_at < before]
        if ids := list(_ended(old, before=before).values_list("pk", flat=True)):
            yield ids
        last, blank = (rows[-1][0] if rows else last), not old


def _ended(ids: Sequence[int], *, before: datetime) -> models.QuerySet[Notification]:
    untold = Q(state=Occurrence.State.FINISHED, tallied=False)  # of what the totals still lack
    alive = ~Q(state__in=Occurrence.OVER) | Q(ledger_day__gte=before.date()) | untold
    living = Occurrence.objects.filter(alive, notification=models.OuterRef("pk"))
    rows = Notification.objects.filter(pk__in=ids, updated_at__lt=before)
    rows = rows.filter(Q(zones_open_until=None) | Q(zones_open_until__lt=before))
    return rows.exclude(models.Exists(living)).order_by("pk")


def _bare(ids: Sequence[int], *, until: float) -> bool:
    """Delete what may be millions of rows, step by step; False where the time was not enough."""
    for rows in (
        Open.objects.filter(notification__in=ids).order_by("notification", "install"),
        InboxItem.objects.filter(notification__in=ids).order_by("notification", "user"),
        Batch.objects.filter(occurrence__notification__in=ids).order_by("occurrence", "pk"),
    ):
        sweep(rows.model, oldest(rows), seconds=until - monotonic())
        if monotonic() >= until and rows.exists():
            return False
    return True


@transaction.atomic
def _delete(ids: Sequence[int], *, before: datetime) -> int:
    """Delete notifications and their firings, which the totals have in them by now.

    Whoever takes one of them up again just now holds it, and keeps it.
    """
    held = oldest(_ended(ids, before=before))(len(ids))
    Notification.objects.filter(pk__in=held).delete()
    return len(held)
