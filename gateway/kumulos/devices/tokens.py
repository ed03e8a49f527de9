"""`k.push.deviceRegistered` → RegisterToken, for each kind of address (contracts/kumulos §2.1)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from crm.commands.installs import RegisterToken
from delivery.providers.contract import Environment, Transport
from gateway.kumulos.devices.values import code, key

SANDBOX_BUILD = 2  # `iosTokenType`; the others are production
BUILDS = (1, SANDBOX_BUILD, 3)  # without one of these, production is a guess
LONGEST_TOPIC = 255

# it becomes part of a path; devices send hex, in which case does not count
APNS_TOKEN = re.compile(r"[A-Za-z0-9._:~+=-]+")
HEX = re.compile(r"[0-9A-Fa-f]+")

Data = Mapping[str, Any]


def read_token(data: Data) -> RegisterToken | None:
    """Give the address a device registers; None where it is no address."""
    reader = READERS.get(code(data.get("type")) or 0)
    return reader(data) if reader else None


def _apns(data: Data) -> RegisterToken | None:
    token, topic = key(data.get("token")), _topic(data)
    if token is None or topic is None or not APNS_TOKEN.fullmatch(token):
        return None
    build = code(data.get("iosTokenType"))
    sandbox = build == SANDBOX_BUILD
    return RegisterToken(
        transport=Transport.APNS.value,
        environment=(Environment.SANDBOX if sandbox else Environment.PRODUCTION).value,
        topic=topic,
        value=token.lower() if HEX.fullmatch(token) else token,
        environment_known=build in BUILDS,
    )


def _fcm(data: Data) -> RegisterToken | None:
    return _google_like(data, Transport.FCM)


def _huawei(data: Data) -> RegisterToken | None:
    return _google_like(data, Transport.HUAWEI)


def _google_like(data: Data, transport: Transport) -> RegisterToken | None:
    token = key(data.get("token"))
    if token is None:
        return None
    package = data.get("package")
    return RegisterToken(
        transport=transport.value,
        environment=Environment.PRODUCTION.value,
        topic="",
        value=token,
        enabled=data.get("areNotificationsEnabled") is not False,
        details={"package": package} if isinstance(package, str) else {},
    )


def _web(data: Data) -> RegisterToken | None:
    token = data.get("token")
    if not isinstance(token, dict) or (endpoint := key(token.get("endpoint"))) is None:
        return None
    return RegisterToken(
        transport=Transport.WEB.value,
        environment=Environment.PRODUCTION.value,
        topic="",
        value=endpoint,
        details={name: token[name] for name in ("keys", "expirationTime") if name in token},
    )


def _safari(data: Data) -> RegisterToken | None:
    token, topic = key(data.get("token")), _topic(data)
    if token is None or topic is None:
        return None
    return RegisterToken(
        transport=Transport.SAFARI.value,
        environment=Environment.PRODUCTION.value,
        topic=topic,
        value=token,
    )


def _topic(data: Data) -> str | None:
    """Give the bundle id, '' where an old version leaves it out; None where it cannot be one."""
    bundle = data.get("bundleId")
    return key(bundle, at_most=LONGEST_TOPIC) if bundle else ""


READERS: Mapping[int, Callable[[Data], RegisterToken | None]] = {
    1: _apns,
    2: _fcm,
    3: _web,
    4: _safari,
    5: _huawei,
}
