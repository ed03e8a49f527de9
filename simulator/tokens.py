"""Device tokens the simulator knows something about."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import Any

from simulator.settings import Unfit

HOUR = 3600


@dataclass(slots=True)
class Token:
    """A device token: which app it belongs to, where it works, and whether it still does."""

    value: str
    provider: str
    topic: str  # the bundle id, or the project
    environment: str = "any"  # any | production | sandbox
    gone_at: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the token for the control API."""
        return {
            "token": self.value,
            "provider": self.provider,
            "topic": self.topic,
            "environment": self.environment,
            "gone_at_ms": None if self.gone_at is None else int(self.gone_at * 1000),
        }


class TokenBook:
    """Tokens by value. A well-formed token that is not in here is nobody's, and welcome."""

    def __init__(self) -> None:
        self.by_value: dict[str, Token] = {}

    def get(self, value: str) -> Token | None:
        """Return what is known of a token."""
        return self.by_value.get(value)

    def issue(
        self,
        provider: str,
        topic: str,
        *,
        environment: str = "any",
        value: str | None = None,
        gone_at: float | None = None,
    ) -> Token:
        """Remember a token, made up unless it is given."""
        if provider not in {"apns", "fcm"} or environment not in {"any", "production", "sandbox"}:
            raise Unfit("provider is apns or fcm; environment any, production or sandbox")
        if value is None:
            value = apns_token() if provider == "apns" else fcm_token()
        token = Token(value, provider, topic, environment, gone_at)
        self.by_value[value] = token
        return token

    def retire(self, value: str, at: float | None = None) -> Token:
        """Mark a token as gone since then (an hour ago unless given)."""
        token = self.by_value.get(value)
        if token is None:
            raise Unfit("unknown token")
        token.gone_at = time.time() - HOUR if at is None else at
        return token

    def forget(self, value: str) -> None:
        """Forget a token; pushes to it are judged by its shape alone."""
        self.by_value.pop(value, None)


def apns_token(seed: str | None = None) -> str:
    """Return 64 hex digits, always the same ones for the same seed."""
    return secrets.token_hex(32) if seed is None else hashlib.sha256(seed.encode()).hexdigest()


def fcm_token(seed: str | None = None) -> str:
    """Return something like a registration token, always the same one for the same seed."""
    raw = secrets.token_bytes(114) if seed is None else _stretched(seed, 114)
    text = base64.urlsafe_b64encode(raw).decode()
    return f"{text[:22]}:APA91b{text[22:]}"


def _stretched(seed: str, size: int) -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)
