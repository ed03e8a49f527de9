"""Message → the FCM v1 message, rendered once for a whole batch with a gap for the token."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from delivery.message import Json, Message, RawMessage
from delivery.providers import json_text
from delivery.providers.contract import Push, Transport
from delivery.providers.kumulos_sdk import for_app
from delivery.providers.refusal import Refusal, TooLarge

SIZE_LIMIT = 4096
LONGEST_TTL = 28 * 24 * 3600
TARGETS = ("token", "fid", "topic", "condition")

# The union of what two of Firebase's pages forbid: the v1 reference (`from`, `message_type`,
# `google.`, `gcm.notification.`) and the error codes (`from`, `gcm`, anything starting `google`).
RESERVED_KEYS = frozenset({"from", "message_type", "gcm"})
RESERVED_PREFIXES = ("google", "gcm.notification.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """One batch as Google will see it: the same bytes around each token.

    `refusal` says what Google would refuse; such a batch is not sent.
    """

    message: Json
    head: bytes
    tail: bytes
    refusal: Refusal | None = None
    live_activity: bool = False

    def body_for(self, address: str) -> bytes:
        """Give the request body for one registration token."""
        return self.head + json_text.dump(address) + self.tail


def render(push: Push, *, now: datetime) -> Rendered:
    """Give the message of a push without its token; what Google would refuse is in `refusal`."""
    message = message_of(push, now=now)
    rest = json_text.dump(message)[1:]
    return Rendered(
        message=message,
        head=b'{"message":{"token":',
        tail=(b"," if message else b"") + rest + b"}",
        live_activity=_live_activity(message),
        refusal=_refusal(push, message) or TooLarge.measure(content_size(message), SIZE_LIMIT),
    )


def message_of(push: Push, *, now: datetime) -> Json:
    """Give the v1 message of a push, without a target."""
    if isinstance(push.message, RawMessage):
        return _raw_message(push, push.message, now)
    return {
        "data": _kumulos_data(push.message, push.notification_id),
        "android": _android(push, now, "HIGH" if push.message.high_priority else "NORMAL"),
    }


def content_size(message: Json) -> int:
    """Give the bytes Google counts: keys and values of what the app is handed."""
    android = message.get("android")
    android = android if isinstance(android, dict) else {}
    parts = [message.get("data"), message.get("notification")]
    parts += [android.get("data"), android.get("notification")]
    return sum(
        len(text.encode("utf-8", "surrogatepass")) for part in parts for text in _texts(part)
    )


def is_reserved(key: str) -> bool:
    """Say whether Google keeps this data key to itself."""
    return key in RESERVED_KEYS or key.startswith(RESERVED_PREFIXES)


def _kumulos_data(message: Message, notification_id: int) -> dict[str, str]:
    """Give the data message the app's SDK shows; a `notification` block it would never see."""
    custom: Json = {"a": for_app(message, notification_id)}
    if message.url is not None:
        custom["u"] = message.url
    data = {
        "title": message.title,
        "alert": message.body,
        "custom": json_text.dump(custom).decode(),
    }
    if message.background:
        data["bgn"] = "1"  # the SDK knows no other spelling of true
    if message.image is not None:
        data["bicon"] = message.image
    return data


def _raw_message(push: Push, raw: RawMessage, now: datetime) -> Json:
    message = {key: value for key, value in raw.payload.items() if key not in TARGETS}
    said = message.get("android")
    if said is None or isinstance(said, dict):
        message["android"] = {**_android(push, now, "high"), **(said or {})}
    return message


def _android(push: Push, now: datetime, priority: str) -> Json:
    android: Json = {"priority": priority}
    if push.message.collapse_id is not None:
        android["collapse_key"] = push.message.collapse_id
    if push.expires_at is not None:
        left = int((push.expires_at - now).total_seconds())
        android["ttl"] = f"{min(max(left, 0), LONGEST_TTL)}s"
    return android


def _refusal(push: Push, message: Json) -> Refusal | None:
    if isinstance(push.message, RawMessage) and push.message.transport != Transport.FCM:
        return Refusal(field="message", reason=f"is for {push.message.transport}")
    data = message.get("data")
    if data is None:
        return None
    if not isinstance(data, dict):
        return Refusal(field="data", reason="must be an object")
    if reserved := sorted(filter(is_reserved, data)):
        return Refusal(field="data", reason=f"uses keys FCM reserves: {', '.join(reserved)}")
    if strange := sorted(key for key, value in data.items() if not isinstance(value, str)):
        return Refusal(field="data", reason=f"must hold strings only: {', '.join(strange)}")
    return None


def _live_activity(message: Json) -> bool:
    apns = message.get("apns")
    return isinstance(apns, dict) and ("liveActivityToken" in apns or "live_activity_token" in apns)


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(part, list):
        for value in part:
            yield from _texts(value)
    elif part is not None:
        yield str(part)
