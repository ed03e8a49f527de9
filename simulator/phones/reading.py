"""What a phone makes of one push."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Reading:
    """A push as the system and the SDK on the phone understood it."""

    title: str = ""
    body: str = ""
    url: str | None = None
    image: str | None = None
    buttons: list[str] = field(default_factory=list)
    notification_id: int | None = None  # None: the SDK does not know it, so it sends no receipts
    shown: bool = False
    woken: bool = False  # the app ran in the background
    delivered: bool = False  # the SDK reports the delivery
    badge: int | None = None
    badge_increment: int | None = None
    badge_by_sdk: bool = False
    complaint: str | None = None  # what the SDK would have choked on, or silently ignored


def text_in(place: Any, key: str) -> str:
    """Return a string member, or nothing."""
    value = place.get(key) if isinstance(place, dict) else None
    return value if isinstance(value, str) else ""


def button_texts(buttons: Any) -> list[str]:
    """Return the texts of the action buttons."""
    return [text_in(button, "text") for button in buttons] if isinstance(buttons, list) else []
