"""Where a provider is."""

from typing import NamedTuple
from urllib.parse import urlsplit


class Address(NamedTuple):
    """A host and port reached over TLS."""

    host: str
    port: int


def read_address(url: str, *, default: str) -> Address:
    """Give the address a credential names, or the provider's own where it names none.

    `https://host:port`, `host:port` and `host` are understood; anything else is a ValueError.
    """
    text = url.strip() or default
    parts = urlsplit(text if "//" in text else f"//{text}", scheme="https")
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"endpoint {text!r} is not https://host:port")
    return Address(parts.hostname, parts.port or 443)
