"""When an event fires: seconds since the epoch on the wire, a Schedule in ours (§7.1, §7.6)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from delivery.schedule import NOW, Schedule
from delivery.scheduling.recurrence import next_moment
from gateway.connectycube.errors import BLANK, INVALID, UNLISTED
from gateway.connectycube.members import Members

PERIODS = (86400, 604800, 2592000, 31557600)  # a day, a week, 30 days, 365¼ days
LATEST = 253_370_764_799  # the end of the year 9998: a push lives on after it
PASSED = "is in the past"
TOO_EARLY = "is before date"


class EventType(StrEnum):
    """How often an event fires."""

    ONE_SHOT = "one_shot"
    FIXED_DATE = "fixed_date"
    PERIOD_DATE = "period_date"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """When an event fires, in the wire's own words."""

    event_type: EventType
    date: int | None
    period: int | None
    end_date: int | None

    @property
    def schedule(self) -> Schedule:
        """The same in ours; what a one-shot event says of dates is only kept."""
        if self.event_type == EventType.ONE_SHOT or self.date is None:
            return NOW
        if self.event_type == EventType.FIXED_DATE or self.period is None:
            return Schedule(at=_moment(self.date))
        return Schedule(
            at=_moment(self.date),
            every=timedelta(seconds=self.period),
            until=None if self.end_date is None else _moment(self.end_date),
        )

    def as_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {**asdict(self), "event_type": self.event_type.value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read the stored form back, from among whatever else is stored there."""
        return cls(
            event_type=EventType(stored["event_type"]),
            date=stored["date"],
            period=stored["period"],
            end_date=stored["end_date"],
        )


def read_timing(members: Members, *, now: datetime) -> Timing:
    """Give when a new event fires; what it leaves out follows from what it says."""
    date, period, end = _moments(members)
    if period is not None and date is None:
        members.complain("date", BLANK)
    by_default = EventType.ONE_SHOT if date is None else EventType.FIXED_DATE
    if period is not None:
        by_default = EventType.PERIOD_DATE
    said = members.word("event_type", list(EventType))
    timing = Timing(
        event_type=EventType(said) if said else by_default,
        date=date,
        period=period,
        end_date=end,
    )
    _judge(timing, members, now=now, moved=True)
    if not members.reasons and _is_over(timing.schedule, now=now):
        members.complain("end_date", PASSED)
    return timing


def read_new_timing(members: Members, *, known: Timing, now: datetime) -> Timing | None:
    """Give when a known event fires from now on, None where nothing of that is said."""
    if not any(key in members for key in ("date", "period", "end_date")):
        return None
    date, period, end = _moments(members)
    timing = Timing(
        event_type=known.event_type,
        date=known.date if date is None else date,
        period=known.period if period is None else period,
        end_date=known.end_date if end is None else end,
    )
    _judge(timing, members, now=now, moved=date is not None)
    return timing


def _moments(members: Members) -> tuple[int | None, int | None, int | None]:
    date, end = (_seconds(members, key) for key in ("date", "end_date"))
    period = members.whole("period")
    if period is not None and period not in PERIODS:
        members.complain("period", UNLISTED)
    return date, period, end


def _seconds(members: Members, key: str) -> int | None:
    said = members.whole(key)
    if said is not None and not 0 <= said <= LATEST:
        members.complain(key, INVALID)
        return None
    return said


def _judge(timing: Timing, members: Members, *, now: datetime, moved: bool) -> None:
    """Complain of what cannot be: a `moved` date lies ahead, except where runs go on from it."""
    if timing.event_type != EventType.ONE_SHOT and timing.date is None:
        members.complain("date", BLANK)
    if timing.event_type == EventType.PERIOD_DATE and timing.period is None:
        members.complain("period", BLANK)
    passed = timing.date is not None and timing.date < int(now.timestamp())
    if timing.event_type == EventType.FIXED_DATE and moved and passed:
        members.complain("date", PASSED)
    if timing.date is not None and timing.end_date is not None and timing.end_date < timing.date:
        members.complain("end_date", TOO_EARLY)


def _is_over(schedule: Schedule, *, now: datetime) -> bool:
    ahead = next_moment(schedule, after=now - timedelta(seconds=1))
    return schedule.every is not None and ahead is None


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
