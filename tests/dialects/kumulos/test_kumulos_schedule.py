"""`schedule`: later, by the clock of UTC (contracts/kumulos §5.1, §6.15-20)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kumulos_calls import refused, sent

from delivery.fanout import plan_batches
from delivery.models import Batch, Notification, Occurrence
from gateway.kumulos.notifications.moments import read_schedule

NOW = datetime(2026, 3, 10, 12, 30, 15, tzinfo=UTC)
UTC_SCHEDULE = {"sendAt": "2099-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}


def wall(text: str) -> datetime:
    """Give a moment without a zone, as the field of the wire gives it."""
    return datetime.fromisoformat(text)


def later(backend, **changes):
    return backend.send(broadcast=True, scheduled=True, schedule={**UTC_SCHEDULE, **changes})


def test_a_scheduled_send_waits_for_its_moment(backend):
    notification = sent(later(backend))
    [occurrence] = Occurrence.objects.filter(notification=notification)
    assert occurrence.due_at == datetime(2099, 1, 1, 9, 30, tzinfo=UTC)
    assert occurrence.state == Occurrence.State.DUE


@pytest.mark.parametrize("scheduled", [{}, {"scheduled": False}])
@pytest.mark.parametrize("schedule", [UTC_SCHEDULE, {}, None, 5, "x", {"sendAt": 1}])
def test_a_schedule_is_ignored_unless_scheduled(backend, scheduled, schedule):
    notification = sent(backend.send(broadcast=True, schedule=schedule, **scheduled))
    [occurrence] = Occurrence.objects.filter(notification=notification)
    assert abs(occurrence.due_at - timezone.now()) < timedelta(minutes=1)


def test_a_scheduled_send_needs_its_schedule(backend):
    refused(
        backend.send(broadcast=True, scheduled=True),
        *("schedule.sendAt", "schedule.strategy", "schedule.pastTimes"),
    )


@pytest.mark.parametrize("schedule", [None, [], 5, "x"])
def test_a_schedule_of_the_wrong_kind_is_refused(backend, schedule):
    refused(backend.send(broadcast=True, scheduled=True, schedule=schedule), "schedule")


@pytest.mark.parametrize(
    "moment",
    [
        None,
        "",
        1,
        True,
        [],
        "2099-01-01",
        "2099-01-01 09:30:00",
        "2099-01-01T09:30",
        "2099-1-1 9:30",
        "2099-02-29 10:00",
        "2099-13-01 10:00",
        "2099-01-01 24:00",
        "2099-01-01 10:60",
        " 2099-01-01 10:00",
        "2099-01-01 10:00\n",
        "2099-01-01  10:00",
        "٢٠٩٩-01-01 10:00",
        "0000-01-01 10:00",
        "9999-12-31 23:59",
        "20990-01-01 10:00",
        "2099-01-01 10:00\0",
    ],
)
def test_send_at_is_a_real_date_in_one_spelling(backend, moment):
    refused(later(backend, sendAt=moment), "schedule.sendAt")


@pytest.mark.parametrize("word", [None, "", "UTC", "server", 1, [], {}])
def test_a_strategy_is_one_of_two_words(backend, word):
    refused(later(backend, strategy=word), "schedule.strategy")


@pytest.mark.parametrize("word", [None, "", "nextday", True, [], {}])
def test_past_times_is_one_of_two_words(backend, word):
    refused(later(backend, pastTimes=word), "schedule.pastTimes")


def test_local_schedules_are_refused_for_now_and_after_their_shape(backend):
    reasons = refused(later(backend, strategy="local"), "schedule.strategy")
    assert "not available" in reasons["schedule.strategy"][0]
    refused(
        later(backend, strategy="local", sendAt="x", pastTimes="y"),
        *("schedule.sendAt", "schedule.strategy", "schedule.pastTimes"),
    )


def test_a_past_moment_that_is_to_be_ignored_reaches_nobody(backend, phones):
    phones.ring("install-1")
    answer = later(backend, sendAt="2001-01-01 00:00")
    notification = sent(answer)
    assert answer.json()["filters"] == {"broadcast": True}
    [occurrence] = Occurrence.objects.filter(notification=notification)
    assert not reached(occurrence)


def test_a_past_moment_moves_to_the_next_day_it_is_ahead(backend, phones):
    token = phones.ring("install-1")
    before = timezone.now()
    notification = sent(later(backend, sendAt="2001-01-01 00:00", pastTimes="nextDay"))
    [occurrence] = Occurrence.objects.filter(notification=notification)
    assert before < occurrence.due_at <= before + timedelta(days=1, seconds=1)
    assert (occurrence.due_at.hour, occurrence.due_at.minute) == (0, 0)
    assert reached(occurrence) == [token.pk]


def reached(occurrence: Occurrence) -> list[int]:
    """Plan an occurrence as a worker does when it is due, and give whom it would push to."""
    Occurrence.objects.filter(pk=occurrence.pk).update(due_at=timezone.now())
    for _ in plan_batches(occurrence.pk):
        pass
    return [pk for batch in Batch.objects.filter(occurrence=occurrence) for pk in batch.token_ids]


def test_a_moment_still_ahead_is_kept_under_either_policy():
    for policy in ("ignore", "nextDay"):
        asked = {"sendAt": wall("2026-03-10 12:31"), "pastTimes": policy}
        schedule = read_schedule(asked, now=NOW)
        assert schedule is not None
        assert schedule.at == datetime(2026, 3, 10, 12, 31, tzinfo=UTC)


@given(st.datetimes(max_value=wall("9998-12-31 23:59")))
def test_next_day_keeps_the_time_of_day_and_is_the_first_ahead(send_at):
    schedule = read_schedule({"sendAt": send_at, "pastTimes": "nextDay"}, now=NOW)
    assert schedule is not None
    assert schedule.at is not None
    assert schedule.at >= NOW
    assert schedule.at.time() == send_at.time()
    if send_at.replace(tzinfo=UTC) < NOW:
        assert schedule.at - NOW < timedelta(days=1)
    else:
        assert schedule.at == send_at.replace(tzinfo=UTC)


def test_nothing_is_stored_of_a_refused_schedule(backend):
    later(backend, sendAt="x")
    assert not Notification.objects.exists()
