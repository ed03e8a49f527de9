"""Series over centuries: counted, never walked."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.schedule import NOW, Schedule
from delivery.scheduling.recurrence import END, latest_moment, next_moment

DAY = timedelta(days=1)
YEAR = timedelta(seconds=31557600)  # of 365 days and six hours
TICK = timedelta(microseconds=1)

moments = st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
waits = st.sampled_from([DAY, 7 * DAY, 30 * DAY, YEAR]) | st.timedeltas(
    timedelta(seconds=1), timedelta(days=4000)
)


@st.composite
def series(draw):
    first, every = draw(moments), draw(waits)
    until = draw(st.none() | st.datetimes(first.replace(tzinfo=None)).map(_utc))
    return Schedule(at=first, every=every, until=until)


def _utc(moment):
    return moment.replace(tzinfo=UTC)


def utc(*numbers):
    return datetime(*numbers, tzinfo=UTC)


def run(schedule, *, after, by):
    """Give every moment of a schedule after one moment and not after another."""
    found = []
    while (after := next_moment(schedule, after=after)) is not None and after <= by:
        found.append(after)
    return found


@given(series(), moments)
def test_the_next_moment_is_on_the_grid_ahead_and_the_first_such(schedule, now):
    found = next_moment(schedule, after=now)
    if found is None:
        ahead = latest_moment(schedule, by=END)
        assert ahead <= now
        return
    assert found > now
    assert (found - schedule.at) % schedule.every == timedelta()
    assert found == schedule.at or found - schedule.every <= now
    assert schedule.until is None or found <= schedule.until


@given(series(), moments)
def test_the_latest_moment_is_on_the_grid_behind_and_the_last_such(schedule, now):
    found = latest_moment(schedule, by=now)
    if found is None:
        assert now < schedule.at
        return
    assert schedule.at <= found <= now
    assert (found - schedule.at) % schedule.every == timedelta()
    assert schedule.until is None or found <= schedule.until
    following = found + schedule.every
    assert following > now or following > (schedule.until or END)


@given(series(), moments)
def test_what_is_behind_and_what_is_ahead_are_neighbours(schedule, now):
    behind, ahead = latest_moment(schedule, by=now), next_moment(schedule, after=now)
    if behind is None:
        assert ahead == schedule.at
        return
    assert next_moment(schedule, after=behind) == ahead
    assert next_moment(schedule, after=behind - TICK) == behind
    if ahead is not None:
        assert ahead - behind == schedule.every
        assert latest_moment(schedule, by=ahead - TICK) == behind


@given(series(), moments)
def test_a_series_walked_and_a_series_counted_agree(schedule, now):
    walked = now
    for number in range(50):
        found = next_moment(schedule, after=walked)
        if found is None:
            return
        walked = found
        if number == 0:
            start = found
    assert walked == start + 49 * schedule.every


@pytest.mark.parametrize(
    ("every", "number", "last"),
    [
        (DAY, 366, utc(2028, 12, 31, 9)),  # a leap year
        (7 * DAY, 53, utc(2028, 12, 30, 9)),
        (30 * DAY, 13, utc(2028, 12, 26, 9)),
        (YEAR, 2, utc(2028, 12, 31, 15)),
    ],
)
def test_a_leap_year_of_each_period(every, number, last):
    schedule = Schedule(at=utc(2028, 1, 1, 9), every=every)

    found = run(schedule, after=utc(2027, 12, 31), by=utc(2028, 12, 31, 23))

    assert (len(found), found[0], found[-1]) == (number, utc(2028, 1, 1, 9), last)
    assert {b - a for a, b in pairwise(found)} <= {every}


def test_leap_days_and_year_ends_are_days_like_others():
    schedule = Schedule(at=utc(2028, 2, 27, 12), every=DAY)
    assert next_moment(schedule, after=utc(2028, 2, 28, 12)) == utc(2028, 2, 29, 12)
    assert next_moment(schedule, after=utc(2028, 2, 29, 12)) == utc(2028, 3, 1, 12)
    assert next_moment(schedule, after=utc(2028, 12, 31, 12)) == utc(2029, 1, 1, 12)


def test_a_year_of_31557600_seconds_is_back_at_its_hour_after_four():
    schedule = Schedule(at=utc(2024, 2, 29), every=YEAR)

    found = run(schedule, after=utc(2024, 1, 1), by=utc(2028, 12, 31))

    assert found == [
        utc(2024, 2, 29),
        utc(2025, 2, 28, 6),
        utc(2026, 2, 28, 12),
        utc(2027, 2, 28, 18),
        utc(2028, 2, 29),
    ]


def test_the_end_belongs_to_a_series():
    schedule = Schedule(at=utc(2028, 1, 1), every=DAY, until=utc(2028, 1, 3))
    assert next_moment(schedule, after=utc(2028, 1, 2)) == utc(2028, 1, 3)
    assert next_moment(schedule, after=utc(2028, 1, 3)) is None
    assert latest_moment(schedule, by=utc(2099, 1, 1)) == utc(2028, 1, 3)

    short = Schedule(at=utc(2028, 1, 1), every=DAY, until=utc(2028, 1, 3) - TICK)
    assert next_moment(short, after=utc(2028, 1, 2)) is None
    assert latest_moment(short, by=utc(2099, 1, 1)) == utc(2028, 1, 2)


def test_a_series_ends_before_the_calendar_does():
    schedule = Schedule(at=utc(2028, 1, 1), every=YEAR)

    last = latest_moment(schedule, by=utc(9999, 12, 31))

    assert END - YEAR < last <= END
    assert next_moment(schedule, after=last) is None
    late = Schedule(at=utc(9999, 12, 30), every=DAY)
    assert next_moment(late, after=utc(2028, 1, 1)) == latest_moment(late, by=late.at) == late.at
    assert next_moment(late, after=late.at) is None


def test_one_firing_has_one_moment_and_a_send_at_once_none():
    once = Schedule(at=utc(2028, 1, 1))
    assert next_moment(once, after=once.at - TICK) == once.at == latest_moment(once, by=once.at)
    assert next_moment(once, after=once.at) is None
    assert latest_moment(once, by=once.at - TICK) is None
    assert next_moment(NOW, after=once.at) is latest_moment(NOW, by=once.at) is None


def test_clocks_put_forward_and_back_do_not_move_a_series():
    berlin = ZoneInfo("Europe/Berlin")
    schedule = Schedule(at=datetime(2028, 3, 25, 9, tzinfo=berlin), every=DAY)

    found = next_moment(schedule, after=datetime(2028, 3, 25, 9, tzinfo=berlin))

    assert found == utc(2028, 3, 26, 8)
    assert found.utcoffset() == timedelta()
