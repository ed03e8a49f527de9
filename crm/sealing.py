"""Secrets at rest: sealed with the first key of `GATEWAY_SEALING_KEYS`, opened with any of them."""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


@lru_cache(maxsize=4)
def _safe(phrases: tuple[str, ...]) -> MultiFernet:
    digests = (hashlib.sha256(b"gateway sealing key:" + p.encode()).digest() for p in phrases)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def seal(secret: str) -> bytes:
    """Give the sealed form of a secret, different each time."""
    return seal_bytes(secret.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Open a sealed secret; raises `cryptography.fernet.InvalidToken` under a foreign key."""
    return unseal_bytes(sealed).decode()


def seal_bytes(secret: bytes) -> bytes:
    """Give the sealed form of a secret that is no text."""
    return _safe(tuple(settings.SEALING_KEYS)).encrypt(secret)


def unseal_bytes(sealed: bytes | memoryview) -> bytes:
    """Open what `seal_bytes` gave; raises as `unseal` does."""
    return _safe(tuple(settings.SEALING_KEYS)).decrypt(bytes(sealed))


def mark_of(said: bytes) -> bytes:
    """Give what is stored of something that may hold a guessable secret, to recognise it later.

    Unlike a fingerprint it cannot be guessed at without a sealing key.
    """
    return _mark(settings.SEALING_KEYS[0], said)


def is_marked(said: bytes, mark: bytes | memoryview) -> bool:
    """Say whether a mark was made of this, under any of the keys."""
    known = bytes(mark)
    return any(hmac.compare_digest(_mark(key, said), known) for key in settings.SEALING_KEYS)


def _mark(phrase: str, said: bytes) -> bytes:
    return hmac.digest(b"gateway marking key:" + phrase.encode(), said, "sha256")


def reseal(sealed: bytes | memoryview) -> bytes | None:
    """Give the same secret sealed with the first key; None where it is already.

    Raises `cryptography.fernet.InvalidToken` under a foreign key.
    """
    first = _safe(tuple(settings.SEALING_KEYS[:1]))
    try:
        first.decrypt(bytes(sealed))
    except InvalidToken:
        return seal_bytes(unseal_bytes(sealed))
    return None


def fingerprint(secret: str) -> bytes:
    """Give what is stored of a secret that only ever needs recognising.

    A bare SHA-256 is enough: these keys are random and long, not passwords.
    """
    return hashlib.sha256(secret.encode()).digest()
