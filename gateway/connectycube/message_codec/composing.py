"""A message and a channel → what its provider is given, and the text kept and shown (§8.3, §9)."""

import base64
from dataclasses import dataclass
from typing import Any

from delivery.message import Json, RawMessage
from delivery.providers import json_text
from delivery.providers.fcm.payload import is_reserved
from gateway.connectycube.message_codec.channels import Channel
from gateway.connectycube.message_codec.json_values import plain, spelled
from gateway.connectycube.message_codec.platform import Platform, write_fcm
from gateway.connectycube.message_codec.refusals import wrong
from gateway.connectycube.message_codec.universal import Universal

COLLAPSE_ID = "event{notification}"
"""What the seed adds to every Android push; the engine puts the notification's id between."""

RESERVED_PREFIX = "gcm."  # wider than what Google documents today, as the contract has it

APS = {
    "ios_badge": "badge",
    "ios_sound": "sound",
    "ios_category": "category",
    "ios_thread_id": "thread-id",
}
APS_FLAGS = {
    "ios_content_available": "content-available",
    "ios_mutable_content": "mutable-content",
}


@dataclass(frozen=True)
class Composed:
    """What a provider is given, and `stored`: the text the event keeps and shows."""

    message: RawMessage
    stored: str


def compose(message: Universal | Platform, channel: Channel) -> Composed:
    """Give a message as one channel carries it; raises `Invalid` where that one cannot."""
    if isinstance(message, Platform):
        return Composed(_platform(message, channel), message.text)
    if channel is Channel.GCM:
        data = _data(message)
        return Composed(_to_google(data, message.said), write_fcm(data))
    composed = _to_apple(message, channel)
    text = base64.b64encode(json_text.dump(composed.payload)).decode()
    return Composed(composed, f"payload={text}")


def _platform(message: Platform, channel: Channel) -> RawMessage:
    if channel not in message.channels:
        raise wrong(f"a message in {message.family} form cannot go to {channel}")
    if channel is Channel.GCM:
        return _to_google(_unreserved(message.payload), {})
    aps = message.payload.get("aps")
    if aps is None and message.payload.get("message") is not None:
        return _to_apple(Universal(message.payload), channel)
    if aps is None and channel is Channel.APNS_VOIP:
        aps = {}
    if not isinstance(aps, dict):
        raise wrong("aps must be an object")
    return RawMessage(transport=channel.transport.value, payload={**message.payload, "aps": aps})


def _to_google(data: Json, said: Json) -> RawMessage:
    payload: Json = {"data": data}
    if (notification := said.get("android_fcm_notification")) is not None:
        payload["android"] = {"notification": plain(notification)}
    transport = Channel.GCM.transport.value
    return RawMessage(transport=transport, payload=payload, collapse_id=COLLAPSE_ID)


def _data(message: Universal) -> dict[str, str]:
    """Give the pairs an Android app is handed; an empty text where none is shown."""
    custom = {key: spelled(value) for key, value in message.custom.items() if value is not None}
    return {"message": message.message, **_unreserved(custom)}


def _unreserved(data: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in data.items()
        if not (is_reserved(key) or key.startswith(RESERVED_PREFIX))
    }


def _to_apple(message: Universal, channel: Channel) -> RawMessage:
    custom = plain(message.custom)
    theirs = custom.pop("aps", None)
    aps = {**(theirs if isinstance(theirs, dict) else {}), **_aps(message)}
    return RawMessage(
        transport=channel.transport.value,
        payload={"aps": aps, **custom},
        headers=_headers(message, channel),
    )


def _aps(message: Universal) -> Json:
    said = message.said
    aps: Json = {theirs: said[ours] for ours, theirs in APS.items() if ours in said}
    aps |= {theirs: 1 for ours, theirs in APS_FLAGS.items() if said.get(ours)}
    alert = {"body": message.message} if message.message else {}
    alert |= said.get("ios_loc_data", {})
    return {"alert": alert, **aps} if alert else aps


def _headers(message: Universal, channel: Channel) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    # a VoIP token takes no other type than its own
    if channel is Channel.APNS and "ios_push_type" in message.said:
        headers["apns-push-type"] = message.said["ios_push_type"]
    if message.expiration is not None:
        headers["apns-expiration"] = message.expiration
    return headers
