"""When a notification fires."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from crm.errors import Invalid


class Past(StrEnum):
    """What becomes of whoever has the scheduled time behind them when it is asked for."""

    IGNORE = "ignore"  # they are left out
    NEXT_DAY = "next_day"  # the same time of day, on the first day it is still ahead


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """One firing at `at` (aware UTC), one for each time zone at `wall_clock`, or one at once.

    With `every` it is a series: at `at`, then at `at + k·every` while that is not after `until`
    (aware UTC, inclusive), without `until` for ever. Alone, `until` is kept and means nothing.
    `wall_clock` is naive: it is reached in each device's own zone, in UTC where that is unknown.
    `skip_after` is how late a firing may start; None leaves that to the gateway's setting.
    """

    at: datetime | None = None
    every: timedelta | None = None
    until: datetime | None = None
    wall_clock: datetime | None = None
    past: Past = Past.IGNORE
    skip_after: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuse a series without a beginning, without a step or without any moment."""
        if self.every is None:
            return
        if self.wall_clock is not None:
            raise Invalid("cannot go with a local time", field="every")
        if self.at is None:
            raise Invalid("needs a first moment", field="at")
        if self.every <= timedelta():
            raise Invalid("must be longer than nothing", field="every")
        if self.until is not None and self.until < self.at:
            raise Invalid("is before the first moment", field="until")

    def as_json(self) -> dict[str, Any]:
        """Give the stored form, without what was not said."""
        said: dict[str, Any] = {}
        if self.at is not None:
            said["at"] = _utc(self.at)
        if self.every is not None:
            said["every"] = self.every.total_seconds()
        if self.until is not None:
            said["until"] = _utc(self.until)
        if self.wall_clock is not None:
            said |= {"wall_clock": self.wall_clock.isoformat(), "past": self.past.value}
        if self.skip_after is not None:
            said["skip_after"] = self.skip_after.total_seconds()
        return said

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        at, until, wall_clock = (_moment(stored.get(k)) for k in ("at", "until", "wall_clock"))
        every, late = (_wait(stored.get(k)) for k in ("every", "skip_after"))
        return cls(
            at=at,
            every=every,
            until=until,
            wall_clock=wall_clock,
            past=Past(stored.get("past", Past.IGNORE)),
            skip_after=late,
        )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _moment(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None


def _wait(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


NOW = Schedule()
"""The schedule of a send that waits for nothing."""
