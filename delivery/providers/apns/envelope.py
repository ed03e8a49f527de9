"""A batch as header fields and bytes; all of it shared but the device token and the id."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from delivery.providers.wire import encode_literal


class Envelope(NamedTuple):
    """What the pushes of one batch share, as bytes."""

    body: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    literals: bytes


@lru_cache(maxsize=1024)
def fields_of(topic: str, push_type: str, priority: str) -> tuple[tuple[bytes, bytes], ...]:
    """Give the fields worth remembering on a connection: the same object for the same fields."""
    named = (("apns-topic", topic), ("apns-push-type", push_type), ("apns-priority", priority))
    return tuple((name.encode(), value.encode()) for name, value in named if value)


def literals_of(expiration: int | None, collapse_id: str | None) -> bytes:
    """Give the fields that change with every batch, encoded."""
    literals = b""
    if expiration is not None:
        literals += encode_literal(b"apns-expiration", str(expiration).encode())
    if collapse_id is not None:
        literals += encode_literal(b"apns-collapse-id", collapse_id.encode())
    return literals


@lru_cache(maxsize=64)
def authorization(value: str) -> bytes:
    """Give the `authorization` field, encoded; a provider token serves for thousands of pushes."""
    return encode_literal(b"authorization", value.encode(), compress=True)


def path_of(device_token: str) -> bytes:
    """Give the path of a device, whatever text somebody may have registered as its token."""
    if device_token.isalnum() and device_token.isascii():
        return b"/3/device/" + device_token.encode()
    return b"/3/device/" + quote(device_token, safe="").encode()
