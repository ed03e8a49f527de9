"""Whom a send would reach, when, by what and for how long, as rows a page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from crm import clock
from crm.hurry import TookTooLong, within
from crm.models import App
from delivery.audience import Audience
from delivery.capping import Capped
from delivery.reach import Reach, over_cap, reach
from delivery.schedule import Schedule
from gateway.console.compose.plan import (
    Leg,
    Share,
    legs_of,
    pace_of,
    pace_words,
    shares_of,
    words_of,
)

PATIENCE = timedelta(seconds=4)
"""For each of the two questions a count is; an operator waits for it while they type."""

TOO_SLOW = f"This takes longer than {PATIENCE.seconds} s to count. It can be sent all the same."

WHY_NOT = {
    "no_token": "never registered for push",
    "disabled": "switched notifications off",
    "quarantined": "perhaps gone: in quarantine until it is known",
    "dead": "gone: the provider said so",
    "left_out": "left out by a tag",
}
PROVIDERS = {"apns": "APNs", "fcm": "FCM", "apns_voip": "APNs (calls)"}
PLATFORMS = {"ios": "iOS", "android": "Android", "macos": "macOS", "web": "Web"}

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """What is known of a send before it is one; `reached` is None where counting took too long."""

    reached: Reach | None
    legs: Sequence[Leg]
    shares: Sequence[Share]
    takes: str
    when: str
    cap: str = ""

    @property
    def devices(self) -> int | None:
        """The pushes it would be."""
        return None if self.reached is None else self.reached.devices

    @property
    def warnings(self) -> Sequence[str]:
        """What stands in its way."""
        said = [share.warning for share in self.shares if share.warning]
        if self.cap:
            said.append(self.cap)
        if self.reached is not None and not self.reached.devices:
            said.append("It reaches no device now.")
        if self.reached is not None and all(leg.at is None for leg in self.legs):
            said.append("Its time is past for everybody: nothing would be sent.")
        return said

    @property
    def counts(self) -> Mapping[str, str]:
        """The three numbers that matter."""
        if self.reached is None:
            return {"users": "?", "installs": "?", "devices": "?"}
        found = self.reached
        return {
            "users": f"{found.users:,}",
            "installs": f"{found.installs:,}",
            "devices": f"{found.devices:,}",
        }

    @property
    def tables(self) -> Mapping[str, Rows]:
        """What is told in rows."""
        return {
            "ways": [_way(share) for share in self.shares],
            "platforms": [] if self.reached is None else _platforms(self.reached),
            "unreached": [] if self.reached is None else _unreached(self.reached),
            "plan": [_leg(leg) for leg in self.legs],
        }

    def as_json(self) -> dict[str, Any]:
        """Give all of it to a script."""
        return {
            "counts": self.counts,
            "tables": self.tables,
            "warnings": self.warnings,
            "takes": self.takes,
            "when": self.when,
            "slow": TOO_SLOW if self.reached is None else "",
        }


def outlook_of(audience: Audience, schedule: Schedule, *, app: App) -> Outlook:
    """Find it all out, or what can be found out in time."""
    now = clock.now()
    try:
        with within(PATIENCE):
            reached = reach(audience, app_id=app.pk, now=now)
    except TookTooLong:
        return Outlook(reached=None, legs=[], shares=[], takes="not known", when=words_of(schedule))
    shares = shares_of(reached, app_id=app.pk)
    return Outlook(
        reached=reached,
        legs=legs_of(schedule, reached, now=now),
        shares=shares,
        takes=pace_words(pace_of(shares, app_id=app.pk)),
        when=words_of(schedule),
        cap=_cap_words(audience, app=app),
    )


def _cap_words(audience: Audience, *, app: App) -> str:
    """Say how many the app's cap would hold back, if any."""
    if app.cap_pushes is None:
        return ""
    try:
        with within(PATIENCE):
            over = over_cap(audience, app=app, now=clock.now())
    except TookTooLong:
        return "How many devices the app's cap holds back takes too long to count."
    if not over:
        return ""
    had = Capped(pushes=app.cap_pushes, window=app.cap_window).reason
    return f"{over:,} of these devices have had {had}: as a bulk send it would not go to them now."


def _way(share: Share) -> Sequence[str]:
    way = share.way
    place = " ".join(filter(None, [way.environment, way.topic]))
    known = "ready" if share.credential else "missing"
    return [
        PROVIDERS.get(way.transport, way.transport),
        place,
        f"{share.devices:,}",
        f"{share.batches:,}",
        share.warning or known,
    ]


def _platforms(reached: Reach) -> Rows:
    found = sorted(reached.platforms.items(), key=lambda one: -one[1])
    return [[PLATFORMS.get(name, name), f"{count:,}"] for name, count in found]


def _unreached(reached: Reach) -> Rows:
    rows = [[WHY_NOT[why], f"{count:,}"] for why, count in reached.unreached.items()]
    if reached.homeless:
        rows.append(["users without any install", f"{reached.homeless:,}"])
    return rows


def _leg(leg: Leg) -> Sequence[str]:
    return [
        leg.zone,
        f"{leg.devices:,}",
        _minute(leg.local),
        _minute(leg.at and leg.at.astimezone(UTC)),
        leg.note,
    ]


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
