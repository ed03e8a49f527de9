"""One word and two figures for what may fire many times."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import DeviceToken
from delivery import dispatch, fanout
from delivery.models import Notification, Occurrence
from delivery.reports import Runs, Standing, by_transport, firings, funnel, progress, runs

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def series(sends):
    """Give a notification with a run in each of the states, a day apart and all of them past."""

    def series(*states, zone=""):
        notification = sends.to_everyone().notification
        notification.occurrences.all().delete()
        start = timezone.now() - 99 * DAY
        for number, state in enumerate(states):
            run = Occurrence.of(notification, at=start + number * DAY, zone=zone, late=None)
            run.state = state
            if state == "due":
                run.due_at += 200 * DAY
            run.save()
        return notification

    return series


def standing(notification):
    [one] = progress([notification], now=timezone.now())
    return one.standing


@pytest.mark.parametrize(
    ("states", "occurred", "pending"),
    [
        ([], 0, False),
        (["due"], 0, True),
        (["planning"], 1, True),
        (["sending"], 1, True),
        (["finished"], 1, False),
        (["cancelled"], 0, False),
        (["skipped"], 0, False),
        (["finished", "skipped", "finished", "cancelled"], 2, False),
        (["finished", "finished", "sending", "due"], 3, True),
    ],
)
def test_runs_that_began_are_counted_and_what_is_to_end_is_pending(
    series, states, occurred, pending
):
    notification = series(*states)

    assert runs([notification]) == {notification.pk: Runs(occurred=occurred, pending=pending)}


def test_however_many_they_are_it_is_one_query(series, django_assert_num_queries):
    many = [series("finished"), series(), series("finished", "due"), series("due")]

    with django_assert_num_queries(1):
        found = runs(many)

    assert [(found[n.pk].occurred, found[n.pk].pending) for n in many] == [
        (1, False),
        (0, False),
        (1, True),
        (0, True),
    ]
    assert runs([]) == {}


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (["due"], Standing.SCHEDULED),
        (["finished", "due"], Standing.SCHEDULED),
        (["skipped", "cancelled", "due"], Standing.SCHEDULED),
        (["finished", "sending", "due"], Standing.SENDING),
        (["finished", "planning"], Standing.SENDING),
        (["finished", "finished"], Standing.SENT),
        (["finished", "skipped"], Standing.SENT),
        (["skipped"], Standing.SKIPPED),
        ([], Standing.SENT),
    ],
)
def test_a_series_waits_is_sending_or_is_over(series, states, word):
    assert standing(series(*states)) == word


def test_a_run_that_is_overdue_is_being_sent(series):
    notification = series("finished", "due")
    notification.occurrences.filter(state="due").update(due_at=timezone.now())

    assert standing(notification) == Standing.SENDING


def test_what_was_paused_is_cancelled_until_it_is_taken_up_again(series):
    paused, resumed = series("finished", "cancelled"), series("cancelled", "finished")
    paused.cancelled_at = timezone.now()
    Notification.objects.filter(pk=paused.pk).update(cancelled_at=paused.cancelled_at)

    assert standing(paused) == Standing.CANCELLED
    assert standing(resumed) == Standing.SENT
    words = [firing.standing for firing in firings(resumed, now=timezone.now())]
    assert words == [Standing.CANCELLED, Standing.SENT]


def test_zones_of_a_local_send_are_one_sending(series):
    assert standing(series("finished", "due", zone="UTC")) == Standing.SENDING
    assert standing(series("finished", "cancelled", zone="UTC")) == Standing.CANCELLED


def test_the_funnel_of_a_series_is_finished_when_the_series_is(series):
    assert not funnel(series("finished", "due")).finished
    assert funnel(series("finished", "finished")).finished


def test_a_report_by_transport_outlives_the_tokens(phones, memory, sends):
    phones.many(2)
    phones.ring("gone", transport="fcm")
    memory({"fcm-gone": "unregistered"})
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    while dispatch.deliver_next("bulk"):
        pass
    DeviceToken.objects.all().delete()

    shares = by_transport(occurrence.notification)

    assert {t: dict(share.outcomes) for t, share in shares.items()} == {
        "apns": {"accepted": 2},
        "fcm": {"unregistered": 1},
    }
