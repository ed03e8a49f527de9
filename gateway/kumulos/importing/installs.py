"""An install as the CRM answers it, with its push token where that is known → a row.

What a device would tell of itself is read as if it had told it.
"""

import re
from dataclasses import replace
from typing import Any

from crm.commands.imports import InstallRow
from crm.commands.installs import RegisterToken
from crm.models import User
from delivery.providers.contract import Transport
from gateway.kumulos.devices.installs import OS_NAMES, SDK_NAMES, read_install
from gateway.kumulos.devices.tokens import read_token
from gateway.kumulos.devices.values import text
from gateway.kumulos.importing.record import Record
from gateway.rest.fields import REQUIRED

LONGEST_UID = 255
COUNTRY = re.compile("[A-Za-z]{2}")
PUSH_TYPES = {
    Transport.APNS.value: 1,
    Transport.FCM.value: 2,
    Transport.WEB.value: 3,
    Transport.SAFARI.value: 4,
    Transport.HUAWEI.value: 5,
}
OS_NUMBERS = {name.lower(): number for number, name in OS_NAMES.items()}
SDK_NUMBERS = {name: number for number, name in SDK_NAMES.items()}


def read_install_row(said: Record) -> list[InstallRow]:
    """Give an install that names its user itself, or none."""
    return [read_install_of(said, user_uid=said.name("userId", at_most=User.UID_LIMIT))]


def read_install_of(said: Record, *, user_uid: str | None) -> InstallRow:
    """Give an install of a user."""
    os, sdk = said.name("os", at_most=32) or "", said.name("sdkType", at_most=32) or ""
    told = read_install(_as_a_device_tells(said, os=os, sdk=sdk))
    return InstallRow(
        uid=said.own_name("id", at_most=LONGEST_UID),
        # a name we have no number for is kept as it is
        said=replace(
            told,
            os=told.os or os,
            sdk_type=told.sdk_type or sdk,
            country=_country(said.get("countryIsoCode")) or told.country,
        ),
        user_uid=user_uid,
        last_active_at=said.moment("lastActive"),
        token=_token(said),
    )


def _country(code: Any) -> str:
    return code.upper() if isinstance(code, str) and COUNTRY.fullmatch(code) else ""


def _as_a_device_tells(said: Record, *, os: str, sdk: str) -> dict[str, Any]:
    """Give the data of `k.stats.installTracked` (contracts/kumulos §2.1)."""
    model, name = said.get("deviceModel"), said.get("deviceName")
    return {
        "app": {"version": said.get("appVersion")},
        "sdk": {"id": SDK_NUMBERS.get(sdk), "version": said.get("sdkVersion")},
        "os": {"id": OS_NUMBERS.get(os.lower()), "version": said.get("osVersion")},
        "device": {
            "name": text(model, at_most=255),
            "displayName": text(name, at_most=255),
            "tz": said.get("timezone"),
            "locale": said.get("locale"),
        },
    }


def _token(said: Record) -> RegisterToken | None:
    token, kind = said.get("token"), said.get("pushType") or said.get("transport")
    if token is None:
        return None
    if kind is None:
        said.complain("pushType", REQUIRED)
        return None
    address = read_token(
        {
            "type": PUSH_TYPES.get(kind, kind) if isinstance(kind, str) else kind,
            "token": said.object("token") if _is_object(token) else token,
            "iosTokenType": said.get("iosTokenType"),
            "bundleId": said.get("bundleId"),
            "package": said.get("package"),
            "areNotificationsEnabled": said.flag("subscribedToPushNotifications"),
        }
    )
    if address is None:
        said.complain("token", "Is no address of this push type.")
        return None
    enabled = said.flag("subscribedToPushNotifications") is not False
    return replace(address, enabled=enabled)


def _is_object(token: Any) -> bool:
    return isinstance(token, dict) or (isinstance(token, str) and token.startswith("{"))
