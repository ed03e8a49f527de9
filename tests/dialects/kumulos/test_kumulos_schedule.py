"""`schedule`: later, by the clock of UTC or of each device (contracts/kumulos §5.1, §6.15-20)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from kumulos_calls import refused, sent

from crm.commands.installs import TrackInstall, change_install
from crm.models import DeviceToken
from delivery.fanout import plan_batches
from delivery.models import Batch, Notification, Occurrence
from delivery.schedule import Past, Schedule
from gateway.kumulos.notifications.moments import read_schedule

NOW = datetime(2026, 3, 10, 12, 30, 15, tzinfo=UTC)
UTC_SCHEDULE = {"sendAt": "2099-01-01 09:30", "strategy": "utc", "pastTimes": "ignore"}


def wall(text: str) -> datetime:
    """Give a moment without a zone, as the field of the wire gives it."""
    return datetime.fromisoformat(text)


def utc(send_at: str, past: str) -> dict:
    """Give a decoded schedule."""
    return {"sendAt": wall(send_at), "strategy": "utc", "pastTimes": past}


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


@pytest.mark.parametrize("seconds", [None, -1, 2419201, "60", True, 1.5, 10**30, []])
def test_a_firing_may_be_late_by_some_whole_seconds(backend, seconds):
    refused(later(backend, skipAfter=seconds), "schedule.skipAfter")


@pytest.mark.parametrize("word", [None, "", "UTC", "server", 1, [], {}])
def test_a_strategy_is_one_of_two_words(backend, word):
    refused(later(backend, strategy=word), "schedule.strategy")


@pytest.mark.parametrize("word", [None, "", "nextday", True, [], {}])
def test_past_times_is_one_of_two_words(backend, word):
    refused(later(backend, pastTimes=word), "schedule.pastTimes")


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
        schedule = read_schedule(utc("2026-03-10 12:31", policy), now=NOW)
        assert schedule is not None
        assert schedule.at == datetime(2026, 3, 10, 12, 31, tzinfo=UTC)


@given(st.datetimes(max_value=wall("9998-12-31 23:59")))
def test_next_day_keeps_the_time_of_day_and_is_the_first_ahead(send_at):
    schedule = read_schedule(utc(str(send_at), "nextDay"), now=NOW)
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


# -- in each device's own clock


@pytest.fixture
def living(phones):
    """Register a device that says in which zone it lives."""

    def ring(uid: str, zone: str) -> DeviceToken:
        token = phones.ring(uid)
        change_install(token.install, TrackInstall(timezone=zone))
        token.install.save()
        return token

    return ring


def test_a_local_schedule_is_the_wall_clock_asked_for():
    for word, past in (("ignore", Past.IGNORE), ("nextDay", Past.NEXT_DAY)):
        asked = {**utc("2001-01-01 09:30", word), "strategy": "local"}
        at_nine = wall("2001-01-01 09:30")
        assert read_schedule(asked, now=NOW) == Schedule(wall_clock=at_nine, past=past)


def test_a_local_send_fires_in_each_zone_at_its_own_moment(backend, living):
    tokyo, paris = living("a", "Asia/Tokyo"), living("b", "Europe/Paris")
    unknown = living("c", "")
    notification = sent(later(backend, strategy="local"))
    firings = {it.zone: it for it in Occurrence.objects.filter(notification=notification)}
    assert {zone: it.due_at for zone, it in firings.items()} == {
        "Asia/Tokyo": datetime(2099, 1, 1, 0, 30, tzinfo=UTC),
        "Europe/Paris": datetime(2099, 1, 1, 8, 30, tzinfo=UTC),
        "UTC": datetime(2099, 1, 1, 9, 30, tzinfo=UTC),
    }
    assert {zone: reached(it) for zone, it in firings.items()} == {
        "Asia/Tokyo": [tokyo.pk],
        "Europe/Paris": [paris.pk],
        "UTC": [unknown.pk],
    }


def test_zones_where_the_time_is_past_are_left_out_or_wait_for_the_next_day(backend, living):
    living("ahead", "Etc/GMT+12")  # the last place where it is still yesterday
    living("behind", "Etc/GMT-14")
    now = timezone.now().replace(tzinfo=None, second=0, microsecond=0)
    asked = {"strategy": "local", "sendAt": now.isoformat(" ", "minutes")}
    ignoring = sent(later(backend, **asked))
    moving = sent(later(backend, pastTimes="nextDay", **asked))
    zones = dict(Occurrence.objects.filter(notification=ignoring).values_list("zone", "due_at"))
    assert "Etc/GMT+12" in zones
    assert "Etc/GMT-14" not in zones
    moved = dict(Occurrence.objects.filter(notification=moving).values_list("zone", "due_at"))
    assert moved["Etc/GMT+12"] == zones["Etc/GMT+12"]
    assert moved["Etc/GMT-14"] == now.replace(tzinfo=UTC) + timedelta(hours=24 - 14)


@pytest.mark.parametrize("send_at", ["0001-01-01 00:00", "1969-12-31 23:59", "9998-12-31 23:59"])
@pytest.mark.parametrize("past", ["ignore", "nextDay"])
@pytest.mark.parametrize("strategy", ["local", "utc"])
def test_any_date_of_the_calendar_is_taken(backend, living, strategy, past, send_at):
    for number, zone in enumerate(["Etc/GMT+12", "Etc/GMT-14", "America/New_York"]):
        living(str(number), zone)
    sent(later(backend, strategy=strategy, pastTimes=past, sendAt=send_at))


def test_shapes_of_a_local_schedule_are_refused_like_any_other(backend):
    answer = later(backend, strategy="local", sendAt="x", pastTimes="y", skipAfter=-1)
    refused(answer, "schedule.sendAt", "schedule.pastTimes", "schedule.skipAfter")


@pytest.mark.parametrize("strategy", ["local", "utc"])
@pytest.mark.parametrize("seconds", [0, 60, 2419200])
def test_how_late_a_firing_may_start_is_the_callers_to_say(backend, strategy, seconds):
    notification = sent(later(backend, strategy=strategy, skipAfter=seconds))
    [occurrence] = Occurrence.objects.filter(notification=notification)
    assert occurrence.latest_start_at == occurrence.due_at + timedelta(seconds=seconds)
