from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.errors import Invalid
from delivery.schedule import NOW, Past, Schedule

NOON = datetime(2028, 2, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)

moments = st.datetimes(datetime(1970, 1, 1), datetime(9990, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
waits = st.timedeltas(timedelta(microseconds=1), timedelta(days=40000))


@given(moments, waits | st.none(), st.none() | waits)
def test_a_series_is_read_back_as_it_was_stored(at, every, longer):
    until = None if longer is None or at.year > 9800 else at + longer
    schedule = Schedule(at=at, every=every, until=until)

    assert Schedule.from_json(schedule.as_json()) == schedule


def test_local_sends_and_sends_at_once_are_read_back_too():
    for schedule in (
        NOW,
        Schedule(wall_clock=datetime(2028, 2, 29, 9, 30), past=Past.NEXT_DAY),
        Schedule(at=NOON, skip_after=timedelta(seconds=90)),
    ):
        assert Schedule.from_json(schedule.as_json()) == schedule
    assert NOW.as_json() == {}


def test_what_is_stored_is_in_utc():
    berlin = ZoneInfo("Europe/Berlin")
    schedule = Schedule(
        at=datetime(2028, 7, 1, 9, tzinfo=berlin),
        every=DAY,
        until=datetime(2028, 12, 1, 9, tzinfo=berlin),
    )

    assert schedule.as_json() == {
        "at": "2028-07-01T07:00:00+00:00",
        "every": 86400.0,
        "until": "2028-12-01T08:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("at", {"every": DAY}),
        ("every", {"every": DAY, "wall_clock": datetime(2028, 1, 1)}),
        ("every", {"every": DAY, "at": NOON, "wall_clock": datetime(2028, 1, 1)}),
        ("every", {"every": timedelta(), "at": NOON}),
        ("every", {"every": -DAY, "at": NOON}),
        ("until", {"every": DAY, "at": NOON, "until": NOON - timedelta(seconds=1)}),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(field, said):
    with pytest.raises(Invalid) as refused:
        Schedule(**said)
    assert list(refused.value.reasons) == [field]


def test_a_series_may_end_where_it_begins_and_an_end_alone_means_nothing():
    assert Schedule(at=NOON, every=DAY, until=NOON).until == NOON
    assert Schedule(at=NOON, until=NOON - DAY).every is None
