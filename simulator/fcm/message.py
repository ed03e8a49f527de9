"""A message as FCM accepts it: well-formed, one target, small enough, no reserved keys."""

import json
import re
from dataclasses import dataclass
from typing import Any

from simulator.fcm.errors import Refused, invalid
from simulator.fcm.schema import REQUEST
from simulator.fcm.shapes import Complaints

TARGETS = ("token", "fid", "topic", "condition")
RESERVED = {"from", "message_type", "gcm"}
RESERVED_PREFIXES = ("google", "gcm.notification.")
FOUR_WEEKS = 28 * 24 * 3600
LIMIT, TOPIC_LIMIT = 4096, 2048
TOPIC = re.compile(r"(/topics/)?[a-zA-Z0-9\-_.~%]+")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send that is fit to be looked up."""

    message: dict[str, Any]
    target: str
    value: str
    validate_only: bool


def read_ask(body: bytes) -> Ask:
    """Return what is asked for, or refuse it the way Google does."""
    complaints: Complaints = []
    request = REQUEST("", _json(body), complaints)
    if complaints:
        raise invalid(complaints)
    message = request.get("message")
    if message is None:
        raise invalid([("message", "Message is not set.")], fcm=True)
    targets = [name for name in TARGETS if name in message]
    if len(targets) != 1:
        text = "Exactly one of token, fid, topic or condition must be specified"
        raise invalid([("message", text)], fcm=True)
    _check(message, targets[0])
    return Ask(message, targets[0], message[targets[0]], bool(request.get("validate_only")))


def _check(message: dict[str, Any], target: str) -> None:
    android = message.get("android", {})
    for path, data in (("data", message.get("data")), ("android.data", android.get("data"))):
        for key in data or {}:
            if key in RESERVED or key.startswith(RESERVED_PREFIXES):
                raise invalid([(f"message.{path}", f"Invalid data payload key: {key}")], fcm=True)
    if "android_v2" in message and "android" in message:
        raise invalid(
            [("message.android_v2", "android and androidV2 exclude each other")], fcm=True
        )
    if float(android.get("ttl", "0s")[:-1]) > FOUR_WEEKS:
        raise invalid([("message.android.ttl", "Invalid ttl: at most four weeks")], fcm=True)
    limit = TOPIC_LIMIT if target in {"topic", "condition"} else LIMIT
    if size_of(message) > limit:
        text = f"Message too big: at most {limit} bytes"
        raise invalid([("message", text)], fcm=True)
    if target == "topic" and not TOPIC.fullmatch(message["topic"]):
        raise invalid([("message.topic", "Malformed topic name")], fcm=True)
    payload = message.get("apns", {}).get("payload")
    if payload is not None and len(json.dumps(payload, separators=(",", ":")).encode()) > LIMIT:
        raise invalid([("message.apns.payload", "APNs payload too big")], fcm=True)


def size_of(message: dict[str, Any]) -> int:
    """Return the octets Google counts: keys and values of data, and the shown texts."""
    size = 0
    for part in (message.get("data"), message.get("notification"), _of(message, "android", "data")):
        for key, value in (part or {}).items():
            size += len(key.encode()) + len(str(value).encode())
    return size


def data_of(message: dict[str, Any]) -> dict[str, str]:
    """Return the data an Android device gets: its own part replaces the general one."""
    data = _of(message, "android", "data") or message.get("data") or {}
    assert isinstance(data, dict)
    return data


def _of(message: dict[str, Any], part: str, name: str) -> Any:
    return message.get(part, {}).get(name)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        text = "Invalid JSON payload received. Unexpected token."
        raise Refused("BAD_REQUEST", message=text) from error
