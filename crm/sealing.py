"""Secrets at rest: sealed with the first key of `GATEWAY_SEALING_KEYS`, opened with any of them."""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


@lru_cache(maxsize=4)
def _safe(phrases: tuple[str, ...]) -> MultiFernet:
    digests = (hashlib.sha256(b"gateway sealing key:" + p.encode()).digest() for p in phrases)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def seal(secret: str) -> bytes:
    """Give the sealed form of a secret, different each time."""
    return _safe(tuple(settings.SEALING_KEYS)).encrypt(secret.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Open a sealed secret; raises `cryptography.fernet.InvalidToken` under a foreign key."""
    return _safe(tuple(settings.SEALING_KEYS)).decrypt(bytes(sealed)).decode()


def reseal(sealed: bytes | memoryview) -> bytes | None:
    """Give the same secret sealed with the first key; None where it is already.

    Raises `cryptography.fernet.InvalidToken` under a foreign key.
    """
    first = _safe(tuple(settings.SEALING_KEYS[:1]))
    try:
        first.decrypt(bytes(sealed))
    except InvalidToken:
        return seal(unseal(sealed))
    return None


def fingerprint(secret: str) -> bytes:
    """Give what is stored of a secret that only ever needs recognising.

    A bare SHA-256 is enough: these keys are random and long, not passwords.
    """
    return hashlib.sha256(secret.encode()).digest()
