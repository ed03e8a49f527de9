"""Stop what is under way: for a while, or for good. The caller holds the notification's lock."""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import F, QuerySet

from delivery import tasks
from delivery.dispatch import HELD
from delivery.models import Batch, Notification, Occurrence
from delivery.models.notification import Lane

State = Occurrence.State


def hold(notification: Notification, *, now: datetime) -> bool:
    """Hold up what is under way; False where nothing is. Its pushes expire as they would have."""
    return bool(_under_way(notification).filter(held_at=None).update(held_at=now))


def let_go(notification: Notification, *, now: datetime) -> bool:
    """Let what was held up go on where it was; False where nothing was."""
    held = _under_way(notification).exclude(held_at=None)
    if not held.update(held_at=None, held_for=F("held_for") + (now - F("held_at"))):
        return False
    notification.cancelled_at = None
    notification.save(update_fields=["cancelled_at"])
    # what a provider asked to wait for is waited for, paused or not
    _wake(_waiting(notification).filter(last_reason=HELD), now=now)
    return True


def call_off_rest(notification: Notification, *, now: datetime) -> bool:
    """Send nothing more of what is under way; False where nothing is.

    A batch in a worker's hands is sent to its end. What the planner has not come to was never
    targeted; all that was, and is not sent, is recorded as cancelled, device by device.
    """
    ids = list(_under_way(notification).values_list("pk", flat=True))
    if not ids:
        return False
    called_off = Occurrence.objects.filter(pk__in=ids)
    called_off.update(called_off_at=now, held_at=None)
    # its planner finds it taken away and stops
    called_off.filter(state=State.PLANNING).update(state=State.SENDING, lease_until=None)
    notification.cancelled_at = notification.updated_at = now
    notification.save(update_fields=["cancelled_at", "updated_at"])
    _wake(_waiting(notification), now=now)
    return True


def _under_way(notification: Notification) -> QuerySet[Occurrence]:
    return notification.occurrences.filter(state__in=Occurrence.UNDER_WAY, called_off_at=None)


def _waiting(notification: Notification) -> QuerySet[Batch]:
    return Batch.objects.filter(
        occurrence__notification=notification,
        occurrence__state__in=Occurrence.UNDER_WAY,
        state=Batch.State.WAITING,
    )


def _wake(batches: QuerySet[Batch], *, now: datetime) -> None:
    """Have batches looked at now, whatever they waited for."""
    for lane in Lane:
        woken = batches.filter(lane=lane).update(next_attempt_at=now)
        transaction.on_commit(partial(tasks.ring_for_batches, lane.value, woken))
