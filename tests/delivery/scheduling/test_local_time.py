"""Wall clocks over the whole tz database."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.schedule import Past
from delivery.scheduling.local_time import EPOCH, firing, last_on_earth, moment_in

MINUTE = timedelta(minutes=1)
ZONES = sorted(zoneinfo.available_timezones())

zones = st.sampled_from(ZONES)
walls = st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
nows = st.datetimes(datetime(1975, 1, 1), datetime(2080, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


def shown(moment, zone):
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def utc(*numbers):
    return datetime(*numbers, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "wall", "moment"),
    [
        ("Europe/London", datetime(2026, 7, 1, 9), utc(2026, 7, 1, 8)),
        ("Asia/Kolkata", datetime(2026, 7, 1, 9), utc(2026, 7, 1, 3, 30)),
        ("Asia/Kathmandu", datetime(2026, 7, 1, 9), utc(2026, 7, 1, 3, 15)),
        ("Australia/Lord_Howe", datetime(2026, 1, 1, 9), utc(2025, 12, 31, 22)),
        ("Pacific/Kiritimati", datetime(2026, 7, 1, 9), utc(2026, 6, 30, 19)),
        ("Etc/GMT+12", datetime(2026, 7, 1, 9), utc(2026, 7, 1, 21)),
        ("Gone/Nowhere", datetime(2026, 7, 1, 9), utc(2026, 7, 1, 9)),
    ],
)
def test_a_wall_clock_is_reached_in_each_zone_at_its_own_moment(zone, wall, moment):
    assert moment_in(zone, wall) == moment


@pytest.mark.parametrize(
    ("zone", "wall", "shows"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 3, 0)),
        ("America/New_York", datetime(2026, 3, 8, 2, 0), datetime(2026, 3, 8, 3, 0)),
        # half an hour's gap
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 10), datetime(2026, 10, 4, 2, 30)),
        # Samoa skipped the whole of 30 December 2011
        ("Pacific/Apia", datetime(2011, 12, 30, 9, 0), datetime(2011, 12, 31, 0, 0)),
        # midnight itself is skipped
        ("Africa/Cairo", datetime(2026, 4, 24, 0, 0), datetime(2026, 4, 24, 1, 0)),
    ],
)
def test_a_time_that_never_comes_is_the_next_minute_that_does(zone, wall, shows):
    assert shown(moment_in(zone, wall), zone) == shows


def test_a_time_that_comes_twice_is_the_first():
    assert moment_in("Europe/Berlin", datetime(2026, 10, 25, 2, 30)) == utc(2026, 10, 25, 0, 30)


@settings(max_examples=400, deadline=None)
@given(zone=zones, wall=walls)
@example(zone="Pacific/Apia", wall=datetime(2011, 12, 30, 12, 0))
@example(zone="America/Havana", wall=datetime(2026, 3, 8, 0, 30))
def test_the_moment_shows_the_time_or_the_first_after_it_and_never_earlier(zone, wall):
    moment = moment_in(zone, wall)

    showing = shown(moment, zone)
    assert showing >= wall
    # no instant before it shows the wanted time, nor any minute skipped on the way
    for back in range(1, 49):
        assert shown(moment - timedelta(minutes=30 * back), zone) != wall
    if showing > wall:
        before = shown(moment - timedelta(seconds=1), zone)
        assert before < wall < showing  # the clock jumped over it just then


@settings(max_examples=400, deadline=None)
@given(zone=zones, wall=walls, now=nows, past=st.sampled_from(Past))
def test_a_firing_is_never_in_the_past_and_never_a_day_late(zone, wall, now, past):
    moment = firing(zone, wall, past=past, now=now)

    if moment_in(zone, wall) >= now:
        assert moment == moment_in(zone, wall)
    elif past is Past.IGNORE:
        assert moment is None
    else:
        assert now <= moment <= now + timedelta(hours=50)
        # yesterday's would have been too early
        day_before = shown(moment, zone).date() - timedelta(days=1)
        earlier = moment_in(zone, datetime.combine(day_before, wall.time()))
        assert earlier < now or shown(earlier, zone).date() != day_before
    if moment is not None:
        assert moment <= last_on_earth(wall, past=past, now=now)


def test_every_zone_of_the_database_has_its_moment_within_a_day_and_a_bit_of_utc():
    wall = datetime(2027, 3, 28, 2, 30)
    moments = {zone: moment_in(zone, wall) for zone in ZONES}

    assert len(moments) > 400
    spread = max(moments.values()) - min(moments.values())
    assert timedelta(hours=24) <= spread <= timedelta(hours=27)


def changes_of(zone, since, until):
    """Give each moment at which the zone's clocks are put forward or back."""
    tz, earlier = ZoneInfo(zone), since
    while earlier < until:
        later = earlier + timedelta(hours=12)
        if earlier.astimezone(tz).utcoffset() != later.astimezone(tz).utcoffset():
            low, high = earlier, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(tz).utcoffset() == low.astimezone(tz).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high.replace(microsecond=0)
        earlier = later


def test_every_change_of_every_zones_clocks_is_heeded():
    seen = 0
    for zone in ZONES:
        for at in changes_of(zone, utc(2024, 1, 1), utc(2029, 1, 1)):
            seen += 1
            before = shown(at - timedelta(seconds=1), zone) + timedelta(seconds=1)
            after = shown(at, zone)
            if after > before:  # all the minutes skipped come when the clock jumps
                assert moment_in(zone, before) == moment_in(zone, after - MINUTE) == at, (zone, at)
            else:  # what comes twice is the first time, what comes after it once
                assert moment_in(zone, after) == at - (before - after), (zone, at)
                assert moment_in(zone, before) == at + (before - after), (zone, at)
    assert seen > 1000


def test_the_edges_of_the_calendar_are_moments_too():
    assert moment_in("Pacific/Kiritimati", datetime(1, 1, 1)) == moment_in(
        "Pacific/Kiritimati", EPOCH
    )
    assert moment_in("Etc/GMT+12", datetime(9998, 12, 31, 23, 59)).year == 9999
