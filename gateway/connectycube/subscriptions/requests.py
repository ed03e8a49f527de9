"""Wire → a user's device and the addresses it subscribes with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crm.commands.device_tokens import Address
from crm.commands.user_devices import UserDevice
from crm.models import User
from gateway.connectycube.channels import TRANSPORTS, channel_name
from gateway.connectycube.environments import OURS
from gateway.connectycube.errors import BLANK, INVALID, UNLISTED
from gateway.connectycube.members import Members
from gateway.connectycube.subscriptions.tokens import (
    LONGEST_FCM,
    read_apns_token,
    read_fcm_token,
)

PLATFORMS = ("ios", "android", "web")
LONGEST = 255
LONGEST_URL = 2048
TOKEN = "client_identification_sequence"  # noqa: S105 - the wire's name of it

WEB_KEYS = ("p256dh", "auth")

READERS: Mapping[str, Callable[[str], str | None]] = {
    "apns": read_apns_token,
    "apns_voip": read_apns_token,
    "gcm": read_fcm_token,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscribeAsk:
    """A device and its addresses, one for each channel, in the order given."""

    device: UserDevice
    addresses: list[Address]
    details: Mapping[str, Any]


def read_subscription(said: Mapping[str, Any], *, user: User) -> SubscribeAsk:
    """Give what is to be subscribed; every bad member is named at once, by its bare name."""
    members = Members(said)
    channels = _channels(members)
    push, device = members.inner("push_token"), members.inner("device")
    environment = push.word("environment", OURS, required=True)
    platform = device.word("platform", PLATFORMS, required=True)
    udid = device.text("udid", at_most=LONGEST, required=True)
    topic = push.text("bundle_identifier", at_most=LONGEST) or ""
    addresses = [_address(push, channel, environment, topic) for channel in channels]
    members.check()
    assert platform is not None
    assert udid is not None
    return SubscribeAsk(
        device=UserDevice(user=user, udid=udid, platform=platform),
        addresses=[address for address in addresses if address is not None],
        details={"keys": {name: push.get(f"web_{name}") for name in WEB_KEYS}}
        if "web" in channels
        else {},
    )


def _channels(members: Members) -> list[str]:
    """Give the channels, once each; the parameter has two names, both in use (§1.9)."""
    key = next((k for k in ("notification_channels", "notification_channel") if k in members), "")
    names = [channel_name(name) for name in members.names(key, at_most=len(TRANSPORTS) + 1)]
    if not key:
        members.complain("notification_channel", BLANK)
    elif not names or any(name not in TRANSPORTS for name in names):
        members.complain("notification_channel", UNLISTED)
        return []
    return list(dict.fromkeys(names))


def _address(push: Members, channel: str, environment: str | None, topic: str) -> Address | None:
    value = _web_address(push) if channel == "web" else _token(push, channel)
    if value is None or environment is None:
        return None
    return Address(
        transport=TRANSPORTS[channel],
        environment=OURS[environment],
        topic=topic,
        value=value,
    )


def _token(push: Members, channel: str) -> str | None:
    said = push.text(TOKEN, at_most=LONGEST_FCM, required=True)
    if said is None:
        return None
    value = READERS[channel](said)
    if value is None:
        push.complain(TOKEN, INVALID)
    return value


def _web_address(push: Members) -> str | None:
    for name in WEB_KEYS:
        push.text(f"web_{name}", at_most=LONGEST, required=True)
    value = push.text("web_endpoint", at_most=LONGEST_URL, required=True)
    if value is not None and not value.startswith("https://"):
        push.complain("web_endpoint", INVALID)
    return value
