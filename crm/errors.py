"""What the domain may refuse, as facts; a surface gives each its own voice.

DomainError
├── Invalid     the ask makes no sense, or names something it must not
├── NotFound    what it names does not exist in this app
└── Conflict    it collides with what is already there
"""

from collections.abc import Mapping, Sequence
from typing import Self


class DomainError(Exception):
    """A refusal: one or more reasons, each under the field it is about."""

    def __init__(self, reason: str, *, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reasons: Mapping[str, Sequence[str]] = {field: [reason]}

    @classmethod
    def of(cls, reasons: Mapping[str, Sequence[str]]) -> Self:
        """Give one refusal for all these reasons, of which there is at least one."""
        (field, why), *_ = reasons.items()
        error = cls(why[0], field=field)
        error.reasons = reasons
        return error


class Invalid(DomainError):
    """The ask makes no sense by itself, or names something it must not."""


class NotFound(DomainError):
    """What the ask names does not exist in this app."""


class Conflict(DomainError):
    """The ask collides with what is already there."""
