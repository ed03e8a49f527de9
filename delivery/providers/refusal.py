"""Why a push cannot be said to a provider at all, known before anything is sent."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """What a provider would refuse in a message, as a fact a caller can be told."""

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field} {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class TooLarge(Refusal):
    """The message, as it would be sent, is over the provider's limit."""

    size: int
    limit: int

    @classmethod
    def measure(cls, size: int, limit: int) -> Self | None:
        """Give the refusal, or None where the message fits."""
        if size <= limit:
            return None
        reason = f"is too large: {size} bytes of at most {limit}"
        return cls(field="message", reason=reason, size=size, limit=limit)
