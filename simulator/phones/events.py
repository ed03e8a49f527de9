"""The events an app carrying the Kumulos SDK posts to its gateway."""

import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.phones.phone import Phone

Event = dict[str, Any]
PUSH = 1
IOS, ANDROID = 1, 3
PRODUCTION_BUILD, SANDBOX_BUILD = 1, 2


def registration(phone: "Phone") -> list[Event]:
    """Return what an app says at its first start: itself, its token, its user."""
    events = [_event(phone, "k.stats.installTracked", _details(phone))]
    events.append(_event(phone, "k.push.deviceRegistered", _token(phone)))
    if phone.user is not None:
        data: dict[str, Any] = {"id": phone.user}
        if phone.attributes is not None:
            data["attributes"] = phone.attributes
        events.append(_event(phone, "k.stats.userAssociated", data))
    return events


def receipt(phone: "Phone", kind: str, notification_id: int) -> Event:
    """Return a receipt: delivered, opened or dismissed."""
    return _event(phone, f"k.message.{kind}", {"type": PUSH, "id": notification_id})


def _event(phone: "Phone", kind: str, data: dict[str, Any]) -> Event:
    identifier = str(uuid.uuid4())
    return {
        "type": kind,
        "uuid": identifier.upper() if phone.platform == "ios" else identifier,
        "timestamp": int(time.time() * 1000),
        "data": data,
        "userId": phone.user or phone.install_id,
    }


def _details(phone: "Phone") -> dict[str, Any]:
    ios = phone.platform == "ios"
    release = 1 if phone.environment == "sandbox" else 2
    details: dict[str, Any] = {
        "app": {"bundle": phone.topic, "version": "1.2.3", "target": release},
        "sdk": {"id": 4 if ios else 2, "version": "10.0.0" if ios else "15.0.1"},
        "runtime": {"id": 1, "version": "18.1" if ios else "15"},
        "os": {"id": IOS if ios else ANDROID, "version": "18.1" if ios else "15"},
        "device": {
            "name": "iPhone16,1" if ios else "Pixel 9",
            "tz": phone.timezone,
            "isSimulator": False,
            "locale": phone.locale,
        },
    }
    if ios:
        details["ios"] = {"hasGroup": True, "push": {"scheduled": False, "timeSensitive": False}}
    return details


def _token(phone: "Phone") -> dict[str, Any]:
    if phone.platform == "ios":
        build = SANDBOX_BUILD if phone.environment == "sandbox" else PRODUCTION_BUILD
        return {"type": 1, "token": phone.token, "iosTokenType": build, "bundleId": phone.topic}
    token = {"type": 2, "token": phone.token, "package": phone.topic}
    return token | {"areNotificationsEnabled": True}
