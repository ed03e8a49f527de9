"""Signatures as Standard Webhooks wants them (its specification 1.0.0); pure."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
SIZE = 32


def new_secret() -> str:
    """Give a fresh secret, in the form receivers' libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SIZE)).decode()


def sign(body: bytes, *, id_: str, at: int, secrets: Iterable[str]) -> Mapping[str, str]:
    """Give the headers that prove who sent a body and when: a signature for each secret."""
    signed = b"%s.%d.%s" % (id_.encode(), at, body)
    signatures = [_signature(signed, secret) for secret in secrets]
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }


def _signature(signed: bytes, secret: str) -> str:
    digest = hmac.digest(key_of(secret), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def key_of(secret: str) -> bytes:
    """Give the key in a secret; raises ValueError where it is none of the form."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is no base64") from error
