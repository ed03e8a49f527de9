"""Message → the JSON and headers Apple wants, rendered once for a whole batch."""

from dataclasses import dataclass

from delivery.message import SILENT, BadgeChange, Json, Message, RawMessage
from delivery.providers import json_text
from delivery.providers.contract import Push, Transport
from delivery.providers.kumulos_sdk import for_app
from delivery.providers.refusal import Refusal, TooLarge

VOIP = "voip"
BACKGROUND = "background"
COLLAPSE_ID_LIMIT = 64

TOPIC_SUFFIXES = {
    VOIP: ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "location": ".location-query",
    "liveactivity": ".push-type.liveactivity",
    "pushtotalk": ".voip-ptt",
    "widgets": ".push-type.widgets",
    "controls": ".push-type.controls",
}
"""What each push type adds to the bundle id (Apple, Sending notification requests to APNs)."""

PUSH_TYPES = frozenset({"alert", BACKGROUND, "mdm", *TOPIC_SUFFIXES})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """One batch as Apple will see it: every target gets these bytes and these headers.

    `refusal` says what Apple would refuse; such a batch is not sent.
    """

    content: Json
    body: bytes
    topic: str
    push_type: str
    priority: int
    expiration: int | None
    collapse_id: str
    refusal: Refusal | None = None


def size_limit(push_type: str) -> int:
    """Give the most bytes a body of this push type may have."""
    return 5120 if push_type == VOIP else 4096


def render(push: Push, *, default_topic: str = "") -> Rendered:
    """Give the body and headers of a push; what Apple would refuse is named in `refusal`.

    `default_topic` serves tokens that were registered without a bundle id.
    """
    message = push.message
    asked = message.headers if isinstance(message, RawMessage) else {}
    content = payload_of(push)
    push_type = str(asked.get("apns-push-type") or _push_type(push, content))
    body = json_text.dump(content)
    topic = _topic(push.topic or default_topic, push_type)
    collapse_id = message.collapse_id or f"o{push.occurrence_id}"
    return Rendered(
        content=content,
        body=body,
        topic=topic,
        push_type=push_type,
        priority=int(asked.get("apns-priority") or (5 if push_type == BACKGROUND else 10)),
        expiration=_expiration(push, asked),
        collapse_id=collapse_id,
        refusal=_refusal(push, push_type, topic, collapse_id)
        or TooLarge.measure(len(body), size_limit(push_type)),
    )


def payload_of(push: Push) -> Json:
    """Give the payload as a JSON object: a raw one as it is, a neutral one in Kumulos' shape."""
    if isinstance(push.message, RawMessage):
        return push.message.payload
    content = {
        "aps": _aps(push.message),
        "custom": _custom(push.message, push.notification_id),
    }
    if push.message.image is not None:
        content["attachments"] = {"pictureUrl": push.message.image}
    return content


def _aps(message: Message) -> Json:
    aps: Json = {"alert": {"title": message.title, "body": message.body}, "mutable-content": 1}
    if message.sound != SILENT:
        aps["sound"] = message.sound or "default"
    if message.badge is not None:
        aps["badge"] = max(message.badge.count, 0)
    if message.background:
        aps["content-available"] = 1
    return aps


def _custom(message: Message, notification_id: int) -> Json:
    """Give what the app's SDK reads; what was not said is absent, for its parser dies on null."""
    custom: Json = {"a": for_app(message, notification_id)}
    if message.url is not None:
        custom["u"] = message.url
    if message.badge is not None and message.badge.change is BadgeChange.INCREMENT:
        custom["badge_inc"] = message.badge.count
    return custom


def _push_type(push: Push, content: Json) -> str:
    if push.transport is Transport.APNS_VOIP:
        return VOIP
    if isinstance(push.message, Message):
        return "alert"
    aps = content.get("aps")
    shows = isinstance(aps, dict) and any(key in aps for key in ("alert", "badge", "sound"))
    wakes = isinstance(aps, dict) and aps.get("content-available") == 1
    return BACKGROUND if wakes and not shows else "alert"


def _topic(bundle_id: str, push_type: str) -> str:
    suffix = TOPIC_SUFFIXES.get(push_type, "")
    return bundle_id if not bundle_id or bundle_id.endswith(suffix) else bundle_id + suffix


def _expiration(push: Push, asked: Json) -> int | None:
    """Give epoch seconds; 0 is one attempt without storage, None leaves Apple its default."""
    if (said := asked.get("apns-expiration")) is not None:
        return int(said)
    return None if push.expires_at is None else int(push.expires_at.timestamp())


def _refusal(push: Push, push_type: str, topic: str, collapse_id: str) -> Refusal | None:
    if isinstance(push.message, RawMessage) and push.message.transport != push.transport:
        return Refusal(field="message", reason=f"is for {push.message.transport}")
    if push_type not in PUSH_TYPES:
        return Refusal(field="push_type", reason="is none of Apple's")
    if not (topic and topic.isascii() and topic.isprintable()):
        return Refusal(field="topic", reason="is not a bundle id" if topic else "is missing")
    if not collapse_id.isprintable():
        return Refusal(field="collapse_id", reason="holds control characters")
    if len(collapse_id.encode()) > COLLAPSE_ID_LIMIT:
        reason = f"is longer than {COLLAPSE_ID_LIMIT} bytes in UTF-8"
        return Refusal(field="collapse_id", reason=reason)
    return None
