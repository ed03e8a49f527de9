"""Change one's mind about a notification that has not fired yet."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from crm.errors import Conflict, NotFound
from crm.models import App
from delivery.commands.send import SendNotification, asked, refuse_unfit, ring_once_safe
from delivery.firings import fire
from delivery.models import Notification, Occurrence


@transaction.atomic
def cancel_notification(
    *, app: App, notification_id: int, kind: Notification.Kind = Notification.Kind.PUSH
) -> None:
    """Keep what has not fired from firing; zones a local send has reached stay reached.

    Raises `NotFound` for an id not of this app, `Conflict` where nothing is left to cancel.
    """
    notification = _locked(app, notification_id, kind)
    now = timezone.now()
    due = notification.occurrences.filter(state=Occurrence.State.DUE)
    kept_back = due.update(state=Occurrence.State.CANCELLED, finished_at=now)
    if not (kept_back or _may_still_fire(notification, now=now)):
        raise Conflict("The notification has already been sent or cancelled.")
    notification.cancelled_at = notification.updated_at = now
    notification.zones_open_until = None
    notification.save(update_fields=["cancelled_at", "updated_at", "zones_open_until"])


@transaction.atomic
def edit_notification(ask: SendNotification, *, notification_id: int) -> Notification:
    """Put another ask in the place of one that has not begun to fire; the id stays.

    Raises `NotFound` for an id not of this app, `Invalid` where the message fits no provider,
    `Conflict` where a firing has begun or it was cancelled.
    """
    refuse_unfit(ask)
    now = timezone.now()
    columns = asked(ask, now=now)
    notification = _locked(ask.app, notification_id, columns["kind"])
    # a planner that would take one just now waits for this transaction, and finds nothing due
    firings = list(notification.occurrences.select_for_update())
    begun = any(f.state != Occurrence.State.DUE for f in firings)
    if begun or not (firings or _may_still_fire(notification, now=now)):
        raise Conflict("The notification has already been sent or cancelled.")
    notification.occurrences.all().delete()
    for name, value in columns.items():
        setattr(notification, name, value)
    notification.save(update_fields=list(columns))
    ring_once_safe(notification, fire(notification, ask.schedule, now=now))
    return notification


def _locked(app: App, notification_id: int, kind: Notification.Kind) -> Notification:
    found = Notification.objects.select_for_update().filter(app=app, kind=kind, pk=notification_id)
    if (notification := found.first()) is None:
        raise NotFound("No such notification.")
    return notification


def _may_still_fire(notification: Notification, *, now: datetime) -> bool:
    # a local send without a zone to fire in yet, because nobody is there
    return notification.zones_open_until is not None and notification.zones_open_until > now
