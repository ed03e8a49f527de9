"""Universal parameters: the keys with a meaning, read into what they mean (contract §9.1)."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.connectycube.message_codec.json_values import spelled

LARGEST_BADGE = 2**31 - 1
LAST_MOMENT = 253402300799
"""The last second of the year 9999; clients that count in milliseconds mean a later one."""

DIGITS = re.compile(r"[0-9]{1,20}")
ON, OFF = ("1", "true"), ("0", "false")
PUSH_TYPES = ("alert", "background")

LOC_TEXTS = {"title_loc_key": "title-loc-key", "body_loc_key": "loc-key"}
LOC_LISTS = {"title_loc_args": "title-loc-args", "body_loc_args": "loc-args"}


class Misread(ValueError):
    """A value its key cannot have; the text says what the key wants."""


def text(value: Any) -> str:
    """Give a string."""
    if not isinstance(value, str):
        raise Misread("must be a string")
    return value


def flag(value: Any) -> bool:
    """Give whether 1 or true was said, in quotes or without."""
    said = spelled(value)
    if said not in ON + OFF:
        raise Misread("must be 1 or 0")
    return said in ON


def badge(value: Any) -> int:
    """Give the number an icon shows."""
    number = _whole(value)
    if number > LARGEST_BADGE:
        raise Misread("is too large")
    return number


def moment(value: Any) -> int:
    """Give unix seconds; none is later than the year 9999."""
    return min(_whole(value), LAST_MOMENT)


def push_type(value: Any) -> str:
    """Give one of the two push types a universal message may have."""
    if value not in PUSH_TYPES:
        raise Misread(f"must be {' or '.join(PUSH_TYPES)}")
    return str(value)


def json_object(value: Any) -> dict[str, Any]:
    """Give a JSON object."""
    if not isinstance(value, dict):
        raise Misread("must be an object")
    return value


def localised(value: Any) -> dict[str, Any]:
    """Give what an alert says in the words of the app's own files, by Apple's keys."""
    said = {key: inner for key, inner in json_object(value).items() if inner is not None}
    texts = {theirs: text(said[ours]) for ours, theirs in LOC_TEXTS.items() if ours in said}
    lists = {theirs: _texts(said[ours]) for ours, theirs in LOC_LISTS.items() if ours in said}
    return {**texts, **lists}


READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "message": text,
        "ios_badge": badge,
        "ios_sound": text,
        "ios_content_available": flag,
        "ios_mutable_content": flag,
        "ios_category": text,
        "ios_thread_id": text,
        "ios_push_type": push_type,
        "ios_loc_data": localised,
        "ios_voip": flag,
        "expiration": moment,
        "android_fcm_notification": json_object,
    }
)


def _whole(value: Any) -> int:
    said = spelled(value)
    if not DIGITS.fullmatch(said):
        raise Misread("must be a whole number")
    return int(said)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Misread("must hold lists of strings")
    return value
