"""The moments of a schedule in UTC, one after another; pure.

Every moment is counted from the first one, so that nothing drifts however long a series lives.
"""

from datetime import UTC, datetime

from delivery.schedule import Schedule

END = datetime(9999, 1, 1, tzinfo=UTC)
"""No series goes on longer: a push lives for weeks after its moment, and the calendar ends."""


def next_moment(schedule: Schedule, *, after: datetime) -> datetime | None:
    """Give the first moment after `after`; None where the last is not, or there is none at all."""
    if (first := _first(schedule)) is None or after < first:
        return first
    if schedule.every is None:
        return None
    number = (after - first) // schedule.every + 1
    # divided before it is added: past the calendar's end there is nothing to add to
    if number > (_last(schedule) - first) // schedule.every:
        return None
    return first + number * schedule.every


def latest_moment(schedule: Schedule, *, by: datetime) -> datetime | None:
    """Give the last moment not after `by`; None where the first is, or there is none at all."""
    if (first := _first(schedule)) is None or by < first:
        return None
    if schedule.every is None:
        return first
    number = (min(by, _last(schedule)) - first) // schedule.every
    # a first moment counts, even one the calendar ends before
    return first + max(number, 0) * schedule.every


def _first(schedule: Schedule) -> datetime | None:
    # in UTC: what is added to a clock that is put forward and back is hours there are not
    return None if schedule.at is None else schedule.at.astimezone(UTC)


def _last(schedule: Schedule) -> datetime:
    return END if schedule.until is None else min(schedule.until, END)
