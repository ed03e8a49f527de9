"""What each kind of device event means to us: a table from its type to a parser of its data.

A parser gives None where the data is not what the SDKs send; the event is stored all the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from crm.commands.activity import Seen
from crm.commands.installs import (
    AssociateUser,
    ClearUser,
    DropToken,
    Locate,
    SetEnabled,
    SetInApp,
)
from crm.models import User
from delivery.commands.record_events import Effect, InboxReceipt, Receipt
from gateway.kumulos.devices.installs import read_install
from gateway.kumulos.devices.tokens import read_token
from gateway.kumulos.devices.values import code, degrees, key

PUSH, IN_APP = 1, 2  # `data.type` of a receipt: two number spaces
INT4 = 2**31 - 1

Data = Mapping[str, Any]


def read_effect(kind: str, data: Data | None) -> Effect | None:
    """Give what an event changes; None for custom events and those only worth storing."""
    parser = PARSERS.get(kind)
    return parser(data or {}) if parser else None


def _associate(data: Data) -> AssociateUser | None:
    uid, attributes = key(data.get("id")), data.get("attributes")
    if uid is None or len(uid) > User.UID_LIMIT:
        return None
    return AssociateUser(
        user_uid=uid, attributes=attributes if isinstance(attributes, dict) else None
    )


def _enable(data: Data) -> SetEnabled | None:
    enabled = data.get("notificationsEnabled")
    return SetEnabled(enabled=enabled) if isinstance(enabled, bool) else None


def _consent(data: Data) -> SetInApp | None:
    consented = data.get("consented")
    return SetInApp(consented=consented) if isinstance(consented, bool) else None


def _locate(data: Data) -> Locate | None:
    latitude = degrees(data.get("lat"), at_most=90)
    longitude = degrees(data.get("lng"), at_most=180)
    if latitude is None or longitude is None:
        return None
    return Locate(latitude=latitude, longitude=longitude)


def _receipt(kind: str) -> Callable[[Data], Receipt | InboxReceipt | None]:
    def parse(data: Data) -> Receipt | InboxReceipt | None:
        match code(data.get("type")):
            case n if n == PUSH:
                return _push_receipt(kind, data)
            case n if n == IN_APP and kind == "opened":
                return _inbox_receipt(kind, data)
            case _:
                return None

    return parse


def _legacy_open(data: Data) -> Receipt | None:
    return _push_receipt("opened", data)


def _push_receipt(kind: str, data: Data) -> Receipt | None:
    id_ = _message_id(data)
    return None if id_ is None else Receipt(kind=kind, notification_id=id_)


def _inbox_receipt(kind: str, data: Data) -> InboxReceipt | None:
    id_ = _message_id(data)
    return None if id_ is None else InboxReceipt(kind=kind, message_id=id_)


def _message_id(data: Data) -> int | None:
    id_ = code(data.get("id"))
    return id_ if id_ is not None and 0 < id_ <= INT4 else None


PARSERS: Mapping[str, Callable[[Data], Effect | None]] = {
    "k.stats.installTracked": lambda data: read_install(data) if data else None,
    "k.stats.userAssociated": _associate,
    # whoever the event names may be the old user or the new one: a race on Android
    "k.stats.userAssociationCleared": lambda _: ClearUser(),
    "k.push.deviceRegistered": read_token,
    "k.push.deviceUnsubscribed": lambda _: DropToken(),
    "k.push.notificationEnablementChanged": _enable,
    "k.message.delivered": _receipt("delivered"),
    "k.message.opened": _receipt("opened"),
    "k.message.dismissed": _receipt("dismissed"),
    "k.push.opened": _legacy_open,
    "k.message.read": lambda data: _inbox_receipt("read", data),
    "k.message.inbox.deleted": lambda data: _inbox_receipt("deleted", data),
    "k.inApp.statusUpdated": _consent,
    "k.fg": lambda _: Seen(),
    "k.bg": lambda _: Seen(),
    "k.engage.locationUpdated": _locate,
}
