"""What devices tell us: stored once, in order, each with its effect."""

from collections.abc import Sequence
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
from delivery.commands.record_one import STORE, One, record_one
from delivery.commands.record_open import record_open


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


def record_events(*, app: App, install_uid: str, events: Sequence[DeviceEvent]) -> int:
    """Store what is new of `events`, apply it in order, and give how many were new.

    An event is known by its uuid: devices post accepted events again in normal use, so a second
    copy changes nothing. Receipts of unknown notifications are stored and count for nothing.
    """
    if len(events) == 1 and isinstance(events[0].effect, Receipt | None):
        stored = record_one(_one(app, install_uid, events[0]))
        if stored is not None:
            return stored
    return record_in_order(app=app, install_uid=install_uid, events=events)


@transaction.atomic
def record_in_order(*, app: App, install_uid: str, events: Sequence[DeviceEvent]) -> int:
    """Do what `record_events` promises for any events, and for an install never seen before."""
    install = recognise_install(app=app, uid=install_uid)
    if not events:
        return 0
    fresh = _store(install, events)
    first = {event.uuid: event for event in reversed(events)}  # one uuid may stand twice in a post
    new = [e for e in events if e.uuid in fresh and e is first[e.uuid]]
    activity = Activity()
    for event in new:
        _apply(install, event, activity)
    activity.store()
    if any(isinstance(event.effect, Change | Seen) for event in new):
        install.save()  # most posts only tell, and leave the row as it is
    return len(new)


def _one(app: App, install_uid: str, event: DeviceEvent) -> One:
    return One(
        app_id=app.pk,
        install_uid=install_uid,
        uuid=event.uuid,
        type=event.type,
        user_uid=event.user_uid,
        data=_json(event.data),
        happened_at=event.happened_at,
        push_id=_push_id(event),
        opened=isinstance(event.effect, Receipt) and event.effect.kind == "opened",
        opener=_named_opener(event),
    )


def _store(install: Install, events: Sequence[DeviceEvent]) -> set[UUID]:
    """Write the events not seen before and give their uuids; a concurrent twin is waited for."""
    rows = [(e.uuid, e.type, e.user_uid, _json(e.data), e.happened_at, _push_id(e)) for e in events]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""WITH told AS (
                    SELECT %s::int AS app_id, %s::text AS install_uid, listed.*
                      FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::jsonb[],
                                  %s::timestamptz[], %s::int[]) WITH ORDINALITY AS listed
                           (uuid, type, user_uid, data, happened_at, push_id, place)
                ) {STORE}""",  # noqa: S608 - no value
            [install.app_id, install.uid, *map(list, zip(*rows, strict=True))],
        )
        return {uuid for (uuid,) in cursor.fetchall()}


def _json(data: dict[str, Any] | None) -> str | None:
    return None if data is None else orjson.dumps(data).decode()


def _push_id(event: DeviceEvent) -> int | None:
    return event.effect.notification_id if isinstance(event.effect, Receipt) else None


def _apply(install: Install, event: DeviceEvent, activity: Activity) -> None:
    match event.effect:
        case None:
            return
        case Receipt(kind="opened", notification_id=id_):
            record_open(
                install=install,
                notification_id=id_,
                user_uid=_opener(install, event),
                happened_at=event.happened_at,
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
    return _named_opener(event) or install.user.uid


def _named_opener(event: DeviceEvent) -> str | None:
    named = event.user_uid or ""
    return named if 0 < len(named) <= User.UID_LIMIT else None
