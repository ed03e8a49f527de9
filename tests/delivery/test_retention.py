"""What is past its time goes, some at a time; what may still be needed stays."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crm.commands import history, sweeping
from crm.commands.sessions import forget_expired_sessions, open_session
from crm.models import Event, Session
from delivery import retention, tally, tasks
from delivery.audience import Audience
from delivery.models import InboxItem, Notification, Occurrence, Open

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)


@pytest.fixture
def now():
    return timezone.now()


def age(rows, by):
    """Put rows of a notification, and all that hangs on them, into the past."""
    then = timezone.now() - by
    Notification.objects.filter(pk__in=rows).update(created_at=then, updated_at=then)
    occurrences = Occurrence.objects.filter(notification__in=rows)
    occurrences.update(ledger_day=then.date(), due_at=then, expires_at=then)


@pytest.fixture
@transaction.atomic
def ended(phones, sends):
    """Give a notification that ended long ago, with opens, an inbox item and outcomes."""
    install = phones.install("one", user="ada")
    occurrence = sends.to_everyone()
    Occurrence.objects.update(
        state="finished", targeted=5, accepted=3, rejected=2, finished_at=timezone.now()
    )
    notification = occurrence.notification
    Open.objects.create(
        notification=notification, install=install, user_uid="ada", opened_at=timezone.now()
    )
    InboxItem.objects.create(notification=notification, user=install.user)
    age([notification.pk], 2 * YEAR)
    tally.add_finished()
    return notification


def test_a_notification_goes_with_all_that_hangs_on_it(ended, now):
    assert retention.forget_notifications(now=now) == 1

    for model in (Notification, Occurrence, Open, InboxItem):
        assert not model.objects.exists()


def test_no_total_falls_when_a_notification_is_forgotten(ended, app, now):
    before = tally.sums()
    assert retention.forget_notifications(now=now) == 1

    assert tally.sums() == before
    assert before["targeted"] == 5


def test_what_the_totals_lack_stays_until_they_have_it(ended, now):
    Occurrence.objects.update(tallied=False)
    assert retention.forget_notifications(now=now) == 0
    tally.add_finished()
    assert retention.forget_notifications(now=now) == 1


def test_a_newer_one_stays(ended, sends, now):
    age([ended.pk], YEAR - timedelta(days=2))
    assert retention.forget_notifications(now=now) == 0
    assert Open.objects.exists()


@pytest.mark.parametrize("state", ["due", "planning", "sending"])
def test_what_may_still_fire_stays_however_old(ended, now, state):
    Occurrence.objects.update(state=state, targeted=5, accepted=3, rejected=2)
    assert retention.forget_notifications(now=now) == 0


def test_one_that_fired_lately_stays_however_old(ended, now):
    Occurrence.objects.update(ledger_day=now.date())
    assert retention.forget_notifications(now=now) == 0


def test_one_touched_lately_stays(ended, now):
    Notification.objects.update(updated_at=now)
    assert retention.forget_notifications(now=now) == 0


def test_a_living_one_in_front_hides_no_other(ended, sends, now, monkeypatch):
    monkeypatch.setattr(retention, "LOOKED_AT", 1)
    later = sends.to(Audience(everyone=True)).notification
    Occurrence.objects.filter(notification=later).update(state="finished")
    age([later.pk], 2 * YEAR)
    Occurrence.objects.filter(notification=ended).update(state="due")

    assert retention.forget_notifications(now=now) == 1
    assert list(Notification.objects.values_list("pk", flat=True)) == [ended.pk]


def test_a_notification_larger_than_one_turn_takes_several(ended, phones, now, monkeypatch):
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    opens = [
        Open(notification=ended, install=phones.install(f"i{n}"), user_uid="x", opened_at=now)
        for n in range(6)
    ]
    Open.objects.bulk_create(opens)

    left = [Open.objects.count()]
    while not retention.forget_notifications(now=now, seconds=0):
        left.append(Open.objects.count())
        assert left[-1] < left[-2]  # each turn gets somewhere
    assert len(left) >= 3
    assert not Notification.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_taken_up_again_just_now_is_left_alone(ended, now):
    import psycopg

    url = connection.get_connection_params()
    del url["context"], url["cursor_factory"]
    with psycopg.connect(**url) as other:
        other.execute("SELECT 1 FROM delivery_notification WHERE id = %s FOR UPDATE", [ended.pk])
        assert retention.forget_notifications(now=now) == 0
    assert Notification.objects.exists()


def told(app, n, *, days):
    event = Event.objects.create(
        app=app, uuid=uuid4(), install_uid="i", type=f"t{n}", happened_at=timezone.now()
    )
    Event.objects.filter(pk=event.pk).update(received_at=timezone.now() - timedelta(days=days))


def test_device_events_are_forgotten_after_their_time(app, now, monkeypatch):
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    for n, days in enumerate((100, 99, 98, 97, 91, 89, 1)):
        told(app, n, days=days)

    assert history.forget_device_events(now=now) == 5
    assert list(Event.objects.values_list("type", flat=True)) == ["t5", "t6"]


def test_sessions_end_some_at_a_time(app, now, monkeypatch):
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    for _ in range(5):
        open_session(app=app)
    Session.objects.update(expires_at=now - timedelta(seconds=1))
    open_session(app=app)

    forget_expired_sessions(now=now)
    assert Session.objects.count() == 1


def test_the_sweep_of_the_beat_does_all_of_it(app, ended):
    told(app, 1, days=100)
    tasks.sweep()

    assert not Event.objects.exists()
    assert not Notification.objects.exists()
