"""Accept a notification: everything it takes is stored before the caller hears yes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from crm import clock
from crm.errors import Invalid
from crm.models import App, User
from delivery import tasks
from delivery.audience import Audience
from delivery.errors import MessageTooLarge, NobodyReached
from delivery.firings import fire, zones_open_until
from delivery.message import InAppMessage, Message, RawMessage
from delivery.models import Notification, Occurrence
from delivery.models.notification import Lane
from delivery.providers.fitness import refusal_of
from delivery.providers.refusal import TooLarge
from delivery.schedule import NOW, Schedule
from delivery.targeting.resolve import reaches_anybody


@dataclass(frozen=True, kw_only=True)
class SendNotification:
    """One ask, in our own words."""

    app: App
    source: Notification.Source
    message: Message | RawMessage | InAppMessage
    audience: Audience
    schedule: Schedule = NOW
    filters: dict[str, Any] = field(default_factory=dict)
    reporting_meta: dict[str, Any] = field(default_factory=dict)
    user_meta: dict[str, Any] = field(default_factory=dict)
    time_to_live: timedelta | None = None
    lane: Lane | None = None
    name: str = ""
    author: User | None = None


def send_notification(ask: SendNotification) -> Notification:
    """Store a notification and its firings, and ring once they are safe.

    Raises `Invalid` where the message fits no provider. A lost ring costs one tick. Inside a
    caller's own transaction several are stored together or not at all, and rung for after it.
    """
    refuse_unfit(ask.message)
    now = clock.now()
    with transaction.atomic():
        notification = Notification.objects.create(
            app=ask.app,
            source=ask.source,
            author=ask.author,
            created_at=now,
            **asked(ask, now=now),
        )
        firings = fire(notification, ask.schedule, now=now)
        ring_once_safe(notification, firings)
    return notification


@transaction.atomic
def send_reachable(asks: Sequence[SendNotification]) -> list[Notification]:
    """Store those asks that reach somebody now, together or not at all.

    Raises `NobodyReached` where none of them does, and `Invalid` where a message fits no provider,
    whoever it would reach.
    """
    now = clock.now()
    for ask in asks:
        refuse_unfit(ask.message)
    found = [ask for ask in asks if reaches_anybody(ask.audience, app_id=ask.app.pk, now=now)]
    if not (found or settings.ACCEPT_UNREACHABLE):
        raise NobodyReached
    return [send_notification(ask) for ask in found or asks]


def ring_once_safe(notification: Notification, firings: Sequence[Occurrence]) -> None:
    """Ring for a firing that waits for nothing as soon as it is committed."""
    now = [firing.pk for firing in firings if firing.due_at <= notification.updated_at]
    for occurrence_id in now:
        ring = partial(tasks.ring_for_occurrence, occurrence_id, lane=notification.lane)
        transaction.on_commit(ring)


def refuse_unfit(message: Message | RawMessage | InAppMessage) -> None:
    """Raise `Invalid`, or `MessageTooLarge`, where no provider would take a message."""
    if isinstance(message, InAppMessage):
        return
    if (refusal := refusal_of(message)) is not None:
        kind = MessageTooLarge if isinstance(refusal, TooLarge) else Invalid
        raise kind(refusal.reason, field=refusal.field)


def asked(ask: SendNotification, *, now: datetime) -> dict[str, Any]:
    """Give the columns of a notification that say what was asked for, at `now`."""
    in_app = isinstance(ask.message, InAppMessage)
    return {
        "kind": Notification.Kind.IN_APP if in_app else Notification.Kind.PUSH,
        "name": ask.name,
        "message": ask.message.as_json(),
        "audience": ask.audience.as_json(),
        "schedule": ask.schedule.as_json(),
        "zones_open_until": zones_open_until(ask.schedule, now=now),
        "filters": ask.filters,
        "reporting_meta": ask.reporting_meta,
        "user_meta": ask.user_meta,
        "lane": ask.lane or _lane(ask),
        "time_to_live": (
            settings.DEFAULT_TIME_TO_LIVE if ask.time_to_live is None else ask.time_to_live
        ),
        "updated_at": now,
    }


def _lane(ask: SendNotification) -> Lane:
    """Give the urgent lane to what is urgent and to what is over in a moment."""
    urgent = isinstance(ask.message, Message) and ask.message.high_priority
    named = ask.audience.named
    few = named is not None and named <= settings.URGENT_AUDIENCE
    return Lane.URGENT if urgent or few else Lane.BULK
