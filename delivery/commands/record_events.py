"""What devices tell us: stored once, in order, each with its effect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from crm.commands.activity import Activity, Seen
from crm.commands.installs import Change, change_install, recognise_install
from crm.models import App, Install, User
from delivery.commands.inbox import note_inbox
from delivery.commands.record_open import record_open
from delivery.models import Notification


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """A push was seen on the device: delivered, opened or dismissed."""

    kind: str
    notification_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InboxReceipt:
    """What a user did with an in-app message: opened, read or deleted it."""

    kind: str
    message_id: int


Effect = Change | Receipt | InboxReceipt | Seen


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceEvent:
    """One event as the device told it, and what it means to us, if anything."""

    uuid: UUID
    type: str
    happened_at: datetime
    user_uid: str | None
    data: dict[str, Any] | None
    effect: Effect | None = None


@transaction.atomic
def record_events(*, app: App, install_uid: str, events: Sequence[DeviceEvent]) -> int:
    """Store what is new of `events`, apply it in order, and give how many were new.

    An event is known by its uuid: devices post accepted events again in normal use, so a second
    copy changes nothing. Receipts of unknown notifications are stored and count for nothing.
    """
    install = recognise_install(app=app, uid=install_uid)
    if not events:
        return 0
    notifications = _receipted(app, events)
    fresh = _store(install, events, notifications)
    first = {event.uuid: event for event in reversed(events)}  # one uuid may stand twice in a post
    new = [e for e in events if e.uuid in fresh and e is first[e.uuid]]
    activity = Activity()
    for event in new:
        _apply(install, event, notifications, activity)
    activity.store()
    if any(isinstance(event.effect, Change | Seen) for event in new):
        install.save()  # most posts only tell, and leave the row as it is
    return len(new)


def _receipted(app: App, events: Sequence[DeviceEvent]) -> Mapping[int, Notification]:
    ids = {e.effect.notification_id for e in events if isinstance(e.effect, Receipt)}
    if not ids:
        return {}
    wanted = Notification.objects.filter(app=app).only("reporting_meta", "user_meta")
    return wanted.in_bulk(list(ids))


def _store(
    install: Install, events: Sequence[DeviceEvent], notifications: Mapping[int, Notification]
) -> set[UUID]:
    """Write the events not seen before and give their uuids; a concurrent twin is waited for."""
    rows = [(e.uuid, e.type, e.user_uid, _told(e, notifications), e.happened_at) for e in events]
    uuids, types, users, data, moments = zip(*rows, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_event (app_id, install_uid, uuid, type, user_uid, data, happened_at)
            SELECT %s, %s, * FROM unnest(
                %s::uuid[], %s::text[], %s::text[], %s::jsonb[], %s::timestamptz[])
            ON CONFLICT (app_id, uuid) DO NOTHING
            RETURNING uuid
            """,
            [
                install.app_id,
                install.uid,
                list(uuids),
                list(types),
                list(users),
                list(data),
                list(moments),
            ],
        )
        return {uuid for (uuid,) in cursor.fetchall()}


def _told(event: DeviceEvent, notifications: Mapping[int, Notification]) -> str | None:
    """Give the stored data: what the device said, with the push's own meta-data merged under it.

    Seed 000, "Reporting Meta-Data" and "User Meta"; `type` and `id` win (contracts/kumulos §3).
    """
    data = event.data
    if isinstance(event.effect, Receipt):
        notification = notifications.get(event.effect.notification_id)
        if notification is not None:
            user_meta = notification.user_meta.get(event.user_uid or "", {})
            data = {**notification.reporting_meta, **user_meta, **(data or {})}
    return None if data is None else orjson.dumps(data).decode()


def _apply(
    install: Install,
    event: DeviceEvent,
    notifications: Mapping[int, Notification],
    activity: Activity,
) -> None:
    match event.effect:
        case None:
            return
        case Receipt(kind="opened", notification_id=id_) if id_ in notifications:
            record_open(
                notification=notifications[id_],
                install=install,
                user_uid=_opener(install, event),
                opened_at=min(event.happened_at, timezone.now()),
            )
        case Receipt():
            return
        case InboxReceipt(kind=kind, message_id=id_):
            note_inbox(
                app_id=install.app_id,
                user_uid=_opener(install, event),
                message_id=id_,
                kind=kind,
                at=min(event.happened_at, timezone.now()),
            )
        case Seen():
            activity.note(install, event.happened_at)
        case change:
            change_install(install, change)


def _opener(install: Install, event: DeviceEvent) -> str:
    """Give who tapped: the user the device names, else the install's current one."""
    said = event.user_uid or ""
    return said if 0 < len(said) <= User.UID_LIMIT else install.user.uid
