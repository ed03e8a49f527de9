"""What a device calls its own address → an address a provider takes (contracts/connectycube §6)."""

import base64
import binascii
import re

SHORTEST, LONGEST = 32, 200
"""Bytes of an APNs token."""

LONGEST_FCM = 4096
HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
STANDARD = str.maketrans("-_", "+/")


def read_apns_token(text: str) -> str | None:
    """Give the token in lower-case hex; None for what Apple never gave out.

    The iOS SDK of version 2 sends the bytes in base64 instead.
    """
    raw = bytes.fromhex(text) if HEX.fullmatch(text) else _from_base64(text)
    return raw.hex() if raw and SHORTEST <= len(raw) <= LONGEST else None


def read_fcm_token(text: str) -> str | None:
    """Give the token as it is; None where it is too long or holds what no token holds."""
    return text if len(text) <= LONGEST_FCM and text.isprintable() and text.strip() else None


def _from_base64(text: str) -> bytes | None:
    bare = text.translate(STANDARD).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
