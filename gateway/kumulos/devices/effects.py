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
from delivery.commands.record_events import Effect, Receipt
from gateway.kumulos.devices.installs import read_install
from gateway.kumulos.devices.tokens import read_token
from gateway.kumulos.devices.values import code, degrees, key

PUSH = 1  # `data.type` of a receipt; 2 is an in-app message, another number space
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


def _receipt(kind: str) -> Callable[[Data], Receipt | None]:
    def parse(data: Data) -> Receipt | None:
        return _receipt_of(kind, data) if code(data.get("type")) == PUSH else None

    return parse


def _legacy_open(data: Data) -> Receipt | None:
    return _receipt_of("opened", data)


def _receipt_of(kind: str, data: Data) -> Receipt | None:
    notification_id = code(data.get("id"))
    if notification_id is None or not 0 < notification_id <= INT4:
        return None
    return Receipt(kind=kind, notification_id=notification_id)


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
    "k.inApp.statusUpdated": _consent,
    "k.fg": lambda _: Seen(),
    "k.bg": lambda _: Seen(),
    "k.engage.locationUpdated": _locate,
}
