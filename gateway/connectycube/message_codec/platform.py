"""A message in one platform's own form: `payload=…` for Apple's, `data.k=v&…` for Google's."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from gateway.connectycube.message_codec import json_values
from gateway.connectycube.message_codec.channels import Channel
from gateway.connectycube.message_codec.refusals import refusal, wrong
from gateway.connectycube.message_codec.values import packed, unescaped, unpacked

Family = Literal["apns", "fcm"]

APNS, FCM = "payload", "data."
SEPARATOR = re.compile(r"&|%26")
LONGEST_SHOWN = 40
NO_PAYLOAD = "Should contain 'payload' key"
NO_MESSAGE = "Should contain 'data.message' key"

CHANNELS: dict[Family, tuple[Channel, ...]] = {
    "apns": (Channel.APNS, Channel.APNS_VOIP),
    "fcm": (Channel.GCM,),
}


@dataclass(frozen=True)
class Platform:
    """A message for one family of channels; `text` is as it was sent.

    `payload` is Apple's JSON, or Google's pairs without their prefix.
    """

    family: Family
    text: str
    payload: dict[str, Any]

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Where it may go; without a `push_type` it goes to the first."""
        return CHANNELS[self.family]


def read_apns(text: str) -> Platform:
    """Read `payload=…`; other pairs are ignored."""
    try:
        said = unpacked(_pairs(text)[APNS])
    except ValueError as error:
        raise refusal(NO_PAYLOAD) from error
    try:
        payload = json_values.read(said)
    except json_values.Unfit as error:
        raise wrong(str(error)) from error
    except ValueError as error:
        raise refusal() from error
    if not isinstance(payload, dict):
        raise refusal()
    return Platform("apns", text, json_values.plain(payload))


def read_fcm(text: str) -> Platform:
    """Read `data.k=v&…`; pairs without the prefix are ignored."""
    payload = {
        key.removeprefix(FCM): _value(said)
        for key, said in _pairs(text).items()
        if key.startswith(FCM) and key != FCM
    }
    if "message" not in payload:
        raise refusal(NO_MESSAGE)
    return Platform("fcm", text, payload)


def write_fcm(data: dict[str, str]) -> str:
    """Give the text that reads as these pairs; raises `Invalid` for a key that cannot be said."""
    for key in data:
        if not key or key != key.rstrip() or "=" in key or SEPARATOR.search(key):
            raise wrong(f'the key "{key[:LONGEST_SHOWN]}" cannot be sent to gcm')
    return "&".join(f"{FCM}{key}={packed(value)}" for key, value in data.items())


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(str.strip, SEPARATOR.split(text)):
        key, equals, value = part.partition("=")
        if not equals:
            raise refusal()
        if (name := key.strip()) in found:
            raise wrong("a key is there twice")
        found[name] = value
    return found


def _value(said: str) -> str:
    try:
        text = unescaped(unpacked(said))
    except ValueError as error:
        raise refusal() from error
    if "\0" in text:
        raise wrong("null characters are not allowed")
    return text
