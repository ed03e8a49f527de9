"""Accept a notification: everything it takes is stored before the caller hears yes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from crm.errors import Invalid
from crm.models import App
from delivery import tasks
from delivery.audience import Audience
from delivery.message import Message, RawMessage
from delivery.models import Notification, Occurrence
from delivery.models.notification import Lane
from delivery.providers.fitness import refusal_of
from delivery.schedule import NOW, Schedule


@dataclass(frozen=True, kw_only=True)
class SendNotification:
    """One ask, in our own words."""

    app: App
    source: Notification.Source
    message: Message | RawMessage
    audience: Audience
    schedule: Schedule = NOW
    filters: dict[str, Any] = field(default_factory=dict)
    reporting_meta: dict[str, Any] = field(default_factory=dict)
    user_meta: dict[str, Any] = field(default_factory=dict)
    time_to_live: timedelta | None = None
    lane: Lane | None = None
    name: str = ""


def send_notification(ask: SendNotification) -> Notification:
    """Store a notification and its firing, and ring for it once both are safe.

    Raises `Invalid` where the message fits no provider. A lost ring costs one tick.
    """
    if (refusal := refusal_of(ask.message)) is not None:
        raise Invalid(refusal.reason, field=refusal.field)
    with transaction.atomic():
        notification = Notification.objects.create(
            app=ask.app,
            source=ask.source,
            name=ask.name,
            message=ask.message.as_json(),
            audience=ask.audience.as_json(),
            schedule=ask.schedule.as_json(),
            filters=ask.filters,
            reporting_meta=ask.reporting_meta,
            user_meta=ask.user_meta,
            lane=ask.lane or _lane(ask),
            time_to_live=(
                settings.DEFAULT_TIME_TO_LIVE if ask.time_to_live is None else ask.time_to_live
            ),
        )
        occurrence = _fire(notification, at=ask.schedule.at or timezone.now())
        if ask.schedule.at is None:
            transaction.on_commit(
                lambda: tasks.ring_for_occurrence(occurrence.id, lane=notification.lane)
            )
    return notification


def _fire(notification: Notification, *, at: datetime) -> Occurrence:
    return Occurrence.objects.create(
        notification=notification,
        due_at=at,
        expires_at=at + notification.time_to_live,
        ledger_day=at.date(),
    )


def _lane(ask: SendNotification) -> Lane:
    """Give the urgent lane to what is urgent and to what is over in a moment."""
    urgent = isinstance(ask.message, Message) and ask.message.high_priority
    named = ask.audience.named
    few = named is not None and named <= settings.URGENT_AUDIENCE
    return Lane.URGENT if urgent or few else Lane.BULK
