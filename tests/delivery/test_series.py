"""A series through the real claims: which run is ahead, whatever the clock says."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from delivery import fanout
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.firings import firings_of, unsaved
from delivery.message import Message
from delivery.models import Batch, Notification, Occurrence
from delivery.schedule import Schedule
from delivery.scheduling.claims import find_waiting, take_occurrence

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(seconds=31557600)
LATE = timedelta(milliseconds=700)  # a tick finds what is due a little later

PERIODS = [(DAY, 366), (7 * DAY, 53), (30 * DAY, 13), (YEAR, 2)]
"""Each with its runs from the first moment of a leap year to its end."""


def utc(*numbers):
    return datetime(*numbers, tzinfo=UTC)


@pytest.fixture
def series(app):
    """Give a series as it is right after it was asked for at `now`."""

    def series(at, every, until=None, *, now=None, **said):
        schedule = Schedule(at=at, every=every, until=until, **said)
        notification = Notification.objects.create(
            app=app,
            source=Notification.Source.CONNECTYCUBE,
            message=Message(title="Hello", body="World").as_json(),
            audience=Audience(everyone=True).as_json(),
            schedule=schedule.as_json(),
            lane="bulk",
            time_to_live=HOUR,
        )
        firings = firings_of(notification, schedule, now=now or at - DAY)
        Occurrence.objects.bulk_create(unsaved(notification, firings))
        return notification

    return series


def ahead(notification):
    """Give the one run ahead, None where the series is over."""
    return notification.occurrences.filter(state="due").first()


def tick(*, now):
    """Take up what is due, as a tick and its planners do, and give what was taken."""
    found = find_waiting(now=now, at_most=100).occurrences
    taken = [take_occurrence(id_, now=now) for id_, _ in found]
    return [occurrence for occurrence in taken if occurrence is not None]


def live(notification, *, by):
    """Let a series live: each run is taken up a little after its moment; gives those moments."""
    moments = []
    while (run := ahead(notification)) is not None and run.due_at <= by:
        [taken] = tick(now=run.due_at + LATE)
        assert taken.due_at == run.due_at
        assert taken.expires_at == run.due_at + HOUR
        assert taken.ledger_day == run.due_at.date()
        Occurrence.objects.filter(pk=taken.pk).update(state="finished", lease_until=None)
        moments.append(taken.due_at)
    return moments


@pytest.mark.parametrize(("every", "number"), PERIODS)
def test_a_leap_year_of_runs_does_not_drift(series, every, number):
    first = utc(2028, 1, 1, 9)
    notification = series(first, every)

    moments = live(notification, by=utc(2028, 12, 31, 23, 59))

    assert len(moments) == number
    assert moments[0] == first
    assert {later - earlier for earlier, later in pairwise(moments)} <= {every}
    assert ahead(notification).due_at == first + number * every
    if every < YEAR:
        assert {moment.time() for moment in moments} == {first.time()}
    if every == DAY:
        assert utc(2028, 2, 29, 9) in moments


@pytest.mark.parametrize("every", [every for every, _ in PERIODS])
def test_the_end_belongs_to_the_series_and_ends_it(series, every):
    first = utc(2027, 12, 30, 23, 30)
    notification = series(first, every, first + 3 * every)

    assert live(notification, by=utc(2040, 1, 1)) == [first + k * every for k in range(4)]

    assert ahead(notification) is None
    assert tick(now=utc(2041, 1, 1)) == []


def test_a_moment_before_the_end_is_the_last_where_the_end_is_none(series):
    first = utc(2027, 12, 30)
    notification = series(first, DAY, first + 3 * DAY - SECOND)

    assert live(notification, by=utc(2040, 1, 1)) == [first, first + DAY, first + 2 * DAY]


def test_a_first_moment_that_is_past_gives_the_next_on_its_grid(series):
    first = utc(2028, 1, 1, 9)
    for now, expected in [
        (first - SECOND, first),
        (first, first),
        (first + SECOND, first + DAY),
        (utc(2028, 2, 28, 9), utc(2028, 2, 29, 9)),
        (utc(2031, 7, 3, 8, 59), utc(2031, 7, 3, 9)),
    ]:
        assert ahead(series(first, DAY, now=now)).due_at == expected


def test_a_series_that_is_over_when_asked_for_has_no_run(series):
    first = utc(2028, 1, 1, 9)
    notification = series(first, DAY, first + 3 * DAY, now=first + 3 * DAY + SECOND)

    assert not notification.occurrences.exists()


def test_runs_missed_while_everything_was_down_are_one_dated_at_the_latest(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY)

    [run] = tick(now=utc(2028, 3, 1, 8, 30))

    assert run.due_at == utc(2028, 2, 29, 9)
    assert run.expires_at == utc(2028, 2, 29, 10)
    assert run.ledger_day == utc(2028, 2, 29).date()
    assert ahead(notification).due_at == utc(2028, 3, 1, 9)
    assert notification.occurrences.count() == 2


def test_what_is_overdue_by_less_than_a_period_keeps_its_date(series):
    notification = series(utc(2028, 2, 25, 9), DAY)

    [run] = tick(now=utc(2028, 2, 26, 8, 59, 59))

    assert run.due_at == utc(2028, 2, 25, 9)
    assert ahead(notification).due_at == utc(2028, 2, 26, 9)


def test_a_moment_that_has_just_come_counts_as_missed_with_those_before(series):
    notification = series(utc(2028, 2, 25, 9), DAY)

    [run] = tick(now=utc(2028, 2, 28, 9))

    assert run.due_at == utc(2028, 2, 28, 9)
    assert ahead(notification).due_at == utc(2028, 2, 29, 9)


def test_a_series_whose_end_was_slept_through_fires_once_more_at_its_last_moment(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY, first + 3 * DAY)

    [run] = tick(now=utc(2029, 1, 1))

    assert run.due_at == first + 3 * DAY
    assert ahead(notification) is None


def test_a_run_skipped_for_being_late_does_not_end_the_series(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY, skip_after=HOUR)

    assert tick(now=first + 2 * HOUR) == []

    states = list(notification.occurrences.order_by("due_at").values_list("state", "due_at"))
    assert states == [("skipped", first), ("due", first + DAY)]
    assert ahead(notification).latest_start_at == first + DAY + HOUR


def test_how_late_a_run_is_counts_from_the_latest_moment_missed(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY, skip_after=HOUR)

    [run] = tick(now=first + 3 * DAY + HOUR / 2)

    assert run.due_at == first + 3 * DAY
    assert ahead(notification).due_at == first + 4 * DAY


def test_a_planner_that_vanished_is_followed_and_makes_no_second_run_ahead(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY)
    [run] = tick(now=first + LATE)
    assert tick(now=first + SECOND) == []

    [again] = tick(now=first + 3 * HOUR)

    assert (again.pk, again.due_at) == (run.pk, first)
    assert notification.occurrences.count() == 2


def test_a_run_still_under_way_does_not_hold_the_next_one_up(series):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY)
    tick(now=first)
    notification.occurrences.filter(due_at=first).update(state="sending", lease_until=None)

    [run] = tick(now=first + DAY)

    assert run.due_at == first + DAY
    assert ahead(notification).due_at == first + 2 * DAY


@pytest.mark.parametrize("stored_before", [0, 1])
def test_a_crash_while_a_run_is_taken_up_leaves_it_to_the_next_planner(
    series, monkeypatch, stored_before
):
    first = utc(2028, 2, 25, 9)
    notification = series(first, DAY)
    before = list(notification.occurrences.values())
    save, saved = Occurrence.save, []

    def crash(self, **options):
        if len(saved) == stored_before:
            raise KeyboardInterrupt
        saved.append(save(self, **options))

    with monkeypatch.context() as killed:
        killed.setattr(Occurrence, "save", crash)
        with pytest.raises(KeyboardInterrupt):
            tick(now=first + 2 * DAY)

    assert len(saved) == stored_before
    assert list(notification.occurrences.values()) == before
    assert [run.due_at for run in tick(now=first + 2 * DAY)] == [first + 2 * DAY]
    assert ahead(notification).due_at == first + 3 * DAY


def test_two_runs_ahead_are_impossible(series):
    notification = series(utc(2028, 2, 25, 9), DAY)

    with pytest.raises(IntegrityError), transaction.atomic():
        Occurrence.of(notification, at=utc(2028, 2, 26, 9), late=None).save()


def test_a_series_of_the_real_clock_is_planned_and_goes_on(app, phones):
    token = phones.ring("a")
    at = timezone.now().replace(microsecond=0) - 10 * DAY - SECOND
    notification = send_notification(
        SendNotification(
            app=app,
            source=Notification.Source.CONNECTYCUBE,
            message=Message(title="Hello", body="World"),
            audience=Audience(everyone=True),
            schedule=Schedule(at=at, every=DAY),
        )
    )
    run = notification.occurrences.get()
    assert run.due_at == at + 11 * DAY
    Occurrence.objects.update(due_at=at + 9 * DAY)

    assert list(fanout.plan_batches(run.pk)) == [1]

    assert Batch.objects.get().token_ids == [token.pk]
    run.refresh_from_db()
    assert run.due_at == at + 10 * DAY
    assert ahead(notification).due_at == at + 11 * DAY
