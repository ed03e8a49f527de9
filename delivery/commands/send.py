"""Accept a notification: everything it takes is stored before the caller hears yes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction

from crm import clock
from crm.errors import Invalid
from crm.models import App, User
from delivery import context, tasks, tracing
from delivery.audience import Audience
from delivery.commands.store import store
from delivery.errors import MessageTooLarge, NobodyReached
from delivery.firings import firings_of, zones_open_until
from delivery.message import InAppMessage, Message, RawMessage
from delivery.models import Notification
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
    operator: str = ""


def send_notification(ask: SendNotification) -> Notification:
    """Store a notification and its firings, and ring once they are safe.

    Raises `Invalid` where the message fits no provider. A lost ring costs one tick. Inside a
    caller's own transaction several are stored together or not at all, and rung for after it.
    """
    refuse_unfit(ask.message)
    return _accept(ask, now=clock.now())


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
    return [_accept(ask, now=now) for ask in found or asks]


def _accept(ask: SendNotification, *, now: datetime) -> Notification:
    notification = Notification(
        # ids are set at once, objects through a descriptor
        app_id=ask.app.pk,
        source=ask.source,
        author_id=None if ask.author is None else ask.author.pk,
        operator=ask.operator,
        created_at=now,
        request_id=context.request_id.get() or None,
        trace_parent=tracing.traceparent(),
        **asked(ask, now=now),
    )
    due = store(notification, firings_of(notification, ask.schedule, now=now))
    context.mention(notification=notification.pk)
    ring_once_safe(notification, due)
    return notification


def ring_once_safe(notification: Notification, due: Mapping[int, datetime]) -> None:
    """Ring for firings that wait for nothing as soon as they are committed; `due` is by id."""
    for occurrence_id in [id_ for id_, at in due.items() if at <= notification.updated_at]:
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
    lane = ask.lane or _lane(ask)
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
        "lane": lane,
        "resend_uncertain": _resends(ask.app, lane),
        "time_to_live": (
            settings.DEFAULT_TIME_TO_LIVE if ask.time_to_live is None else ask.time_to_live
        ),
        "updated_at": now,
    }


def _resends(app: App, lane: Lane) -> bool:
    """Say whether a push without an answer is sent once more, as the app has it now."""
    always = app.resend_uncertain == App.Resend.ALWAYS
    return always or (app.resend_uncertain == App.Resend.URGENT and lane == Lane.URGENT)


def _lane(ask: SendNotification) -> Lane:
    """Give the urgent lane to what is urgent and to what is over in a moment."""
    urgent = isinstance(ask.message, Message) and ask.message.high_priority
    few = ask.audience.names_at_most(settings.URGENT_AUDIENCE)
    return Lane.URGENT if urgent or few else Lane.BULK
