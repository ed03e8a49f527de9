"""What a push says, whoever carries it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """A button under a push; the app is told the `id` of the one that was tapped."""

    id: str
    text: str


SILENT = "none"
"""The sound that is no sound and no vibration."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Neutral content: each provider's `payload.py` says it in its own words.

    `data` travels to the app untouched. `sound` is a file in the app's bundle, `SILENT`, or
    None for the device's default. `background` also wakes the app; the text is shown all the same.
    `image` is the address of a picture the device fetches; `buttons` are shown beneath the text.
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
    image: str | None = None
    buttons: tuple[Button, ...] = ()

    def as_json(self) -> Json:
        """Give the stored form, without what was not said."""
        said: Json = {"title": self.title, "body": self.body}
        for name in ("url", "data", "sound", "collapse_id", "image"):
            if (value := getattr(self, name)) is not None:
                said[name] = value
        for name in ("background", "high_priority"):
            if getattr(self, name):
                said[name] = True
        if self.badge is not None:
            said["badge"] = {"change": self.badge.change.value, "count": self.badge.count}
        if self.buttons:
            said["buttons"] = [{"id": one.id, "text": one.text} for one in self.buttons]
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
                "buttons": tuple(Button(**one) for one in stored.get("buttons", ())),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RawMessage:
    """Content in a provider's own form: the payload of one transport, sent as it is.

    `{notification}` in its collapse id stands for the notification's id, which nobody knows before
    the message is stored.
    """

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

    def named(self, notification_id: int) -> Self:
        """Give the message with its notification's id where its collapse id asks for it."""
        if self.collapse_id is None:
            return self
        collapse_id = self.collapse_id.replace(ITS_NOTIFICATION, str(notification_id))
        return replace(self, collapse_id=collapse_id)


ITS_NOTIFICATION = "{notification}"
"""What stands for the notification's id in the collapse id of a raw message."""


class Presented(StrEnum):
    """When an app shows an in-app message by itself."""

    IMMEDIATELY = "immediately"
    NEXT_OPEN = "next-open"
    NEVER = "never"  # it waits in the inbox


@dataclass(frozen=True, kw_only=True, slots=True)
class InAppMessage:
    """Content for the user's inbox, copied from a template when it was asked for.

    `values` fill the content's dynamic tags for everybody; a user's own, kept with the ask, win.
    `inbox` is how the inbox lists the message; without it the message is not in the inbox.
    After `expires_at` (aware UTC) nobody is given it any more.
    """

    template_uid: str
    content: Json
    presented: Presented = Presented.IMMEDIATELY
    values: Json = field(default_factory=dict)
    inbox: Json | None = None
    data: Json | None = None
    badge: Json | None = None
    expires_at: datetime | None = None

    def as_json(self) -> Json:
        """Give the stored form; `in_app` marks it apart from a push."""
        return {
            "in_app": self.template_uid,
            "content": self.content,
            "presented": self.presented.value,
            "values": self.values,
            "inbox": self.inbox,
            "data": self.data,
            "badge": self.badge,
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        """Read the stored form back."""
        expires_at = stored["expires_at"]
        return cls(
            template_uid=stored["in_app"],
            content=stored["content"],
            presented=Presented(stored["presented"]),
            values=stored["values"],
            inbox=stored["inbox"],
            data=stored["data"],
            badge=stored["badge"],
            expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        )


def read_message(stored: Json) -> Message | RawMessage:
    """Give whichever of the two kinds of push was stored."""
    return RawMessage.from_json(stored) if "raw" in stored else Message.from_json(stored)


def named(message: Message | RawMessage, notification_id: int) -> Message | RawMessage:
    """Give a message as it is sent for one notification; a neutral one says nothing of it."""
    return message.named(notification_id) if isinstance(message, RawMessage) else message
