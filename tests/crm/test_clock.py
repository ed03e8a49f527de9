from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from crm import clock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def unread(monkeypatch):
    monkeypatch.setattr(clock, "_last", None)


def by_the_database():
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def test_it_is_the_databases(django_assert_num_queries):
    with django_assert_num_queries(1):
        moments = [clock.now() for _ in range(3)]

    assert moments == sorted(moments)
    assert abs(by_the_database() - moments[-1]) < timedelta(seconds=5)


def test_a_reading_is_carried_on_by_the_monotonic_clock_for_a_second(monkeypatch):
    long_ago = datetime(2001, 2, 3, tzinfo=UTC)
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    monkeypatch.setattr(clock, "_last", clock.Reading(long_ago, 99.5))
    assert clock.now() - long_ago == timedelta(seconds=0.5)

    monkeypatch.setattr(clock, "_last", clock.Reading(long_ago, 99.0))
    assert abs(by_the_database() - clock.now()) < timedelta(seconds=5)


def test_an_answer_that_was_long_on_its_way_is_asked_for_again(monkeypatch):
    showing = iter([0.0, 0.5, 0.5, 0.504, 0.51])  # asked and came, twice; then what is carried on
    monkeypatch.setattr(clock, "monotonic", lambda: next(showing))

    reading = clock._read()

    assert reading.monotonic == 0.5
    assert abs(by_the_database() - reading.at) < timedelta(seconds=5)


def test_a_database_that_is_always_slow_has_us_no_further_ahead_than_that(monkeypatch):
    showing = iter([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
    monkeypatch.setattr(clock, "monotonic", lambda: next(showing))

    assert clock._read().monotonic == 2.5 - clock.MOST_AHEAD


def test_what_the_database_has_just_dated_is_never_ahead():
    for _ in range(20):
        clock._last = None
        assert by_the_database() <= clock.now()
