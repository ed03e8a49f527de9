"""When a notification fires."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self


class Past(StrEnum):
    """What becomes of whoever has the scheduled time behind them when it is asked for."""

    IGNORE = "ignore"  # they are left out
    NEXT_DAY = "next_day"  # the same time of day, on the first day it is still ahead


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """One firing at `at` (aware UTC), one for each time zone at `wall_clock`, or one at once.

    `wall_clock` is naive: it is reached in each device's own zone, in UTC where that is unknown.
    `skip_after` is how late a firing may start; None leaves that to the gateway's setting.
    """

    at: datetime | None = None
    wall_clock: datetime | None = None
    past: Past = Past.IGNORE
    skip_after: timedelta | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the stored form, without what was not said."""
        said: dict[str, Any] = {}
        if self.at is not None:
            said["at"] = self.at.isoformat()
        if self.wall_clock is not None:
            said |= {"wall_clock": self.wall_clock.isoformat(), "past": self.past.value}
        if self.skip_after is not None:
            said["skip_after"] = self.skip_after.total_seconds()
        return said

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        at, wall_clock, late = (stored.get(k) for k in ("at", "wall_clock", "skip_after"))
        return cls(
            at=datetime.fromisoformat(at) if at else None,
            wall_clock=datetime.fromisoformat(wall_clock) if wall_clock else None,
            past=Past(stored.get("past", Past.IGNORE)),
            skip_after=timedelta(seconds=late) if late is not None else None,
        )


NOW = Schedule()
"""The schedule of a send that waits for nothing."""
