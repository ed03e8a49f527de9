"""One simulated device: what is on its screen, its badge, and what it has yet to report."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from simulator.phones import android, ios
from simulator.phones.events import Event, receipt
from simulator.phones.reading import Reading
from simulator.world import Landing

ON_SCREEN = 20
OUTBOX = 1000


@dataclass(slots=True)
class Notice:
    """One push on a phone."""

    number: int
    reading: Reading
    collapse_id: str | None
    at: float
    state: str = "shown"  # shown | tapped | dismissed | silent
    times: int = 1  # how often the same notification came

    def as_json(self) -> dict[str, Any]:
        """Return the notice for the control API and the page."""
        reading = self.reading
        return {
            "n": self.number,
            "notification_id": reading.notification_id,
            "title": reading.title,
            "body": reading.body,
            "url": reading.url,
            "image": reading.image,
            "buttons": reading.buttons,
            "background": reading.woken,
            "state": self.state,
            "times": self.times,
            "at_ms": int(self.at * 1000),
        }


@dataclass(slots=True, eq=False)
class Phone:
    """A device carrying an app with the Kumulos SDK."""

    number: int
    platform: str  # ios | android
    name: str
    install_id: str
    token: str
    topic: str
    gateway: str
    api_key: str
    secret_key: str
    environment: str = "production"
    user: str | None = None
    attributes: dict[str, Any] | None = None
    timezone: str = "Etc/UTC"
    locale: str = "en-GB"
    badge: int = 0
    stored_badge: int | None = None  # what the SDK remembers
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=ON_SCREEN))
    complaints: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    outbox: deque[Event] = field(default_factory=deque)
    lost: int = 0
    failures: int = 0
    registered: bool = False
    last_error: str | None = None
    landed: int = 0
    version: int = 0

    def land(self, landing: Landing) -> Notice | None:
        """Take a push in; return the notice it became, if it became one."""
        read = ios.read if self.platform == "ios" else android.read
        reading = read(landing.payload)
        self.landed += 1
        if reading.complaint:
            self.complaints.append(reading.complaint)
        self._count_badge(reading)
        if reading.delivered and reading.notification_id is not None:
            self.report(receipt(self, "delivered", reading.notification_id))
        if not reading.shown and not reading.woken:
            return None
        return self._put_on_screen(reading, landing.collapse_id)

    def notice(self, number: int) -> Notice | None:
        """Return the notice with this number, if it is still there."""
        return next((notice for notice in self.notices if notice.number == number), None)

    def touch(self, notice: Notice, *, tapped: bool) -> bool:
        """Tap or dismiss a notice; false when that has happened before."""
        if notice.state != "shown":
            return False
        notice.state = "tapped" if tapped else "dismissed"
        if notice.reading.notification_id is not None:
            kind = "opened" if tapped else "dismissed"
            self.report(receipt(self, kind, notice.reading.notification_id))
        return True

    def report(self, event: Event) -> None:
        """Queue an event; the oldest is lost when the gateway has been away for too long."""
        if len(self.outbox) >= OUTBOX:
            self.outbox.popleft()
            self.lost += 1
        self.outbox.append(event)

    def _count_badge(self, reading: Reading) -> None:
        if reading.badge is None:
            return
        increment = reading.badge_increment
        if reading.badge_by_sdk and increment is not None and self.stored_badge is not None:
            self.badge = max(self.stored_badge + increment, 0)
        else:
            self.badge = max(reading.badge, 0)
        if reading.badge_by_sdk:
            self.stored_badge = self.badge

    def _put_on_screen(self, reading: Reading, collapse_id: str | None) -> Notice:
        earlier = next((n for n in self.notices if _replaces(reading, collapse_id, n)), None)
        times = 1
        if earlier is not None:
            self.notices.remove(earlier)
            if earlier.reading.notification_id == reading.notification_id:
                times = earlier.times + 1
        state = "shown" if reading.shown else "silent"
        notice = Notice(self.landed, reading, collapse_id, time.time(), state, times)
        self.notices.appendleft(notice)
        return notice

    def as_json(self) -> dict[str, Any]:
        """Return the phone for the control API and the page; its secret stays with it."""
        return {
            "id": self.number,
            "platform": self.platform,
            "name": self.name,
            "install_id": self.install_id,
            "user": self.user,
            "token": self.token,
            "topic": self.topic,
            "environment": self.environment,
            "timezone": self.timezone,
            "registered": self.registered,
            "badge": self.badge,
            "landed": self.landed,
            "pending_events": len(self.outbox),
            "lost_events": self.lost,
            "last_error": self.last_error,
            "complaints": list(self.complaints),
            "pushes": [notice.as_json() for notice in self.notices],
        }


def _replaces(reading: Reading, collapse_id: str | None, earlier: Notice) -> bool:
    same = reading.notification_id is not None and (
        earlier.reading.notification_id == reading.notification_id
    )
    return same or (collapse_id is not None and earlier.collapse_id == collapse_id)
