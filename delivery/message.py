"""What a push says, whoever carries it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

Json = dict[str, Any]


class BadgeChange(StrEnum):
    """How a badge count is meant."""

    SET = "set"  # show this number
    INCREMENT = "increment"  # the device adds this number to what it shows


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """A change of the number on an iPhone's app icon."""

    change: BadgeChange
    count: int


SILENT = "none"
"""The sound that is no sound and no vibration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Neutral content: each provider's `payload.py` says it in its own words.

    `data` travels to the app untouched. `sound` is a file in the app's bundle, `SILENT`, or
    None for the device's default. `background` also wakes the app; the text is shown all the same.
    """

    title: str
    body: str
    url: str | None = None
    data: Json | None = None
    background: bool = False
    badge: Badge | None = None
    sound: str | None = None
    high_priority: bool = False
    collapse_id: str | None = None

    def as_json(self) -> Json:
        """Give the stored form, without what was not said."""
        said: Json = {"title": self.title, "body": self.body}
        for name in ("url", "data", "sound", "collapse_id"):
            if (value := getattr(self, name)) is not None:
                said[name] = value
        for name in ("background", "high_priority"):
            if getattr(self, name):
                said[name] = True
        if self.badge is not None:
            said["badge"] = {"change": self.badge.change.value, "count": self.badge.count}
        return said

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        """Read the stored form back."""
        badge = stored.get("badge")
        return cls(
            **{
                **stored,
                "badge": Badge(change=BadgeChange(badge["change"]), count=badge["count"])
                if badge
                else None,
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RawMessage:
    """Content in a provider's own form: the payload of one transport, sent as it is."""

    transport: str
    payload: Json
    collapse_id: str | None = None
    headers: Json = field(default_factory=dict)

    def as_json(self) -> Json:
        """Give the stored form; `raw` marks it apart from a neutral message."""
        return {
            "raw": self.transport,
            "payload": self.payload,
            "collapse_id": self.collapse_id,
            "headers": self.headers,
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        """Read the stored form back."""
        return cls(
            transport=stored["raw"],
            payload=stored["payload"],
            collapse_id=stored["collapse_id"],
            headers=stored["headers"],
        )


def read_message(stored: Json) -> Message | RawMessage:
    """Give whichever of the two was stored."""
    return RawMessage.from_json(stored) if "raw" in stored else Message.from_json(stored)
