"""Wire → domain: an array of events as SDKs post it; a bad one is skipped, never the batch."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from delivery.commands.record_events import DeviceEvent
from gateway.kumulos.devices.effects import read_effect
from gateway.kumulos.devices.values import key
from gateway.rest.storable import cleaned

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_INSTALL_UID = LONGEST_TYPE = 255

MOST_EVENTS = 1000
"""SDKs post a hundred at most; ten times that is not one of them, and would hold a worker up."""


def read_install_uid(uid: str) -> str:
    """Give the install's own name: opaque, but no longer than can be kept."""
    if len(uid) > LONGEST_INSTALL_UID or "\0" in uid:
        raise ValidationError({"installId": ["Must be 1 to 255 characters."]})
    return uid


def read_events(sent: Sequence[Any], *, now: datetime) -> list[DeviceEvent]:
    """Give the events that can be told apart and placed in time, in the order they were sent.

    A refusal would block that device's queue for good (contracts/kumulos §2.1), so there is none:
    of a post that is far too long, what comes first counts.
    """
    if len(sent) > MOST_EVENTS:
        log.warning("%d of %d events in one post are left out", len(sent) - MOST_EVENTS, len(sent))
    events = (read_event(item, now=now) for item in sent[:MOST_EVENTS])
    return [event for event in events if event is not None]


def read_event(sent: Any, *, now: datetime) -> DeviceEvent | None:
    """Give one event; None where it lacks what every event must have."""
    item = cleaned(sent)
    if not isinstance(item, dict):
        return None
    uuid, kind, timestamp = _uuid(item.get("uuid")), item.get("type"), item.get("timestamp")
    if uuid is None or not isinstance(kind, str) or not kind or type(timestamp) is not int:
        return None
    data = item.get("data")
    data = data if isinstance(data, dict) else None
    return DeviceEvent(
        uuid=uuid,
        type=kind[:LONGEST_TYPE],
        happened_at=_moment(timestamp, otherwise=now),
        user_uid=key(item.get("userId")),
        data=data,
        effect=read_effect(kind, data),
    )


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _moment(milliseconds: int, *, otherwise: datetime) -> datetime:
    try:
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return otherwise
