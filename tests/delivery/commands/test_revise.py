"""Pausing, taking up again, sending again, other words and other moments."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.commands.apps import create_app
from crm.errors import Invalid, NotFound
from crm.models import User
from delivery import dispatch, fanout, tasks
from delivery.audience import Audience
from delivery.commands.amend import (
    Revision,
    cancel_notification,
    revise_notification,
    withdraw_notification,
)
from delivery.commands.send import SendNotification, send_notification
from delivery.dispatch import push_of
from delivery.message import InAppMessage, Message, RawMessage
from delivery.models import Batch, Notification, Occurrence
from delivery.reports import pushes, runs
from delivery.schedule import NOW, Schedule
from delivery.scheduling.claims import find_waiting

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
HELLO = RawMessage(transport="fcm", payload={"data": {"message": "Hello"}})
ANEW = RawMessage(transport="fcm", payload={"data": {"message": "Anew"}})
CUBE = Notification.Source.CONNECTYCUBE
TOMORROW = datetime(2099, 1, 1, 9, tzinfo=UTC)
DAILY = Schedule(at=TOMORROW, every=DAY)


@pytest.fixture
def send(app):
    def send(schedule=NOW, *, message=HELLO, source=CUBE, **said):
        return send_notification(
            SendNotification(
                app=app,
                source=source,
                message=message,
                audience=Audience(everyone=True),
                schedule=schedule,
                **said,
            )
        )

    return send


@pytest.fixture
def revise(app):
    def revise(notification, **changes):
        revision = Revision(app=app, notification_id=notification.pk, source=CUBE, **changes)
        return revise_notification(revision)

    return revise


@pytest.fixture
def rung(monkeypatch, django_capture_on_commit_callbacks):
    """Whom something rings for once it is committed."""
    rings = []
    monkeypatch.setattr(tasks, "ring_for_occurrence", lambda id_, lane: rings.append(id_))

    def of(act):
        rings.clear()
        with django_capture_on_commit_callbacks(execute=True):
            act()
            assert rings == []
        return list(rings)

    return of


def states(notification):
    rows = notification.occurrences.order_by("due_at", "pk")
    return [(row.state, row.due_at) for row in rows]


def ahead(notification):
    return notification.occurrences.get(state="due")


def fire(run, *, until="finished"):
    """Take a run up as if its moment had come, and leave it in the state named."""
    now = timezone.now()
    Occurrence.objects.filter(pk=run.pk).update(due_at=now)
    list(fanout.plan_batches(run.pk))
    Occurrence.objects.filter(pk=run.pk).update(state=until)


def said(notification):
    """Give (occurred, pending)."""
    found = runs([notification])[notification.pk]
    return found.occurred, found.pending


def test_a_one_shot_is_pending_until_it_has_been_sent(send, phones, memory):
    memory()
    phones.ring("a", transport="fcm")
    notification = send()
    assert said(notification) == (0, True)

    list(fanout.plan_batches(ahead(notification).pk))
    assert said(notification) == (1, True)

    while dispatch.deliver_next(notification.lane):
        pass
    assert said(notification) == (1, False)


def test_what_is_paused_does_not_fire_and_is_no_longer_pending(send, revise):
    for schedule in (Schedule(at=TOMORROW), DAILY):
        notification = send(schedule)

        revise(notification, active=False)

        assert states(notification) == [("cancelled", TOMORROW)]
        assert said(notification) == (0, False)
        assert find_waiting(now=TOMORROW + DAY, at_most=9).occurrences == []
        notification.refresh_from_db()
        assert notification.cancelled_at == notification.updated_at


def test_what_is_taken_up_again_has_the_moment_it_would_have_had(send, revise):
    for schedule in (Schedule(at=TOMORROW), DAILY):
        notification = send(schedule)
        for _ in range(3):
            revise(notification, active=False)
            revise(notification, active=False)
            revise(notification, active=True)
            revise(notification, active=True)

        assert states(notification) == [("due", TOMORROW)]
        assert said(notification) == (0, True)
        notification.refresh_from_db()
        assert notification.cancelled_at is None


def test_a_series_paused_over_some_runs_goes_on_with_the_next_on_its_grid(send, revise):
    at = timezone.now().replace(microsecond=0) - 10 * DAY + timedelta(hours=1)
    notification = send(Schedule(at=at, every=DAY))
    revise(notification, active=False)
    Occurrence.objects.update(due_at=at + 5 * DAY)

    revise(notification, active=True)

    assert states(notification) == [("cancelled", at + 5 * DAY), ("due", at + 10 * DAY)]


def test_a_pause_holds_up_what_is_under_way(send, revise):
    notification = send(DAILY)
    run = ahead(notification)
    fire(run, until="sending")

    revise(notification, active=False)

    assert [state for state, _ in states(notification)] == ["sending", "cancelled"]
    assert said(notification) == (1, False)
    run.refresh_from_db()
    assert run.held_at is not None
    revise(notification, active=True)
    run.refresh_from_db()
    assert run.held_at is None
    assert said(notification) == (1, True)


def test_a_series_taken_up_while_the_run_before_is_under_way_lives(send, revise):
    notification = send(DAILY)
    fire(ahead(notification), until="sending")
    revise(notification, active=False)

    revise(notification, active=True)

    assert [state for state, _ in states(notification)] == ["sending", "due"]
    assert ahead(notification).due_at == TOMORROW


@pytest.mark.parametrize("state", ["finished", "skipped"])
def test_what_is_over_is_sent_again_at_once(send, revise, rung, state):
    over = timezone.now() - 9 * DAY
    series = Schedule(at=over, every=DAY, until=over + DAY)
    for schedule in (NOW, Schedule(at=over), series):
        notification = send(schedule)
        Occurrence.objects.filter(notification=notification).update(state=state, due_at=over)
        before = said(notification)[0]

        rings = rung(lambda: revise(notification, active=True))  # noqa: B023 - called at once

        run = ahead(notification)
        assert rings == [run.pk]
        assert timezone.now() - run.due_at < timedelta(seconds=9)
        assert run.expires_at == run.due_at + notification.time_to_live
        fire(run)
        assert said(notification) == (before + 1, False)


def test_what_is_sent_again_can_be_sent_again(send, revise):
    notification = send()
    for turn in range(3):
        fire(ahead(notification))
        assert said(notification) == (turn + 1, False)
        revise(notification, active=True)


def test_what_is_under_way_is_not_sent_again(send, revise):
    notification = send()
    fire(ahead(notification), until="sending")

    revise(notification, active=True)

    assert [state for state, _ in states(notification)] == ["sending"]


def test_a_new_moment_takes_the_place_of_the_pending_one(send, revise):
    notification = send(Schedule(at=TOMORROW))
    old = ahead(notification).pk

    revise(notification, schedule=Schedule(at=TOMORROW + DAY))

    assert states(notification) == [("due", TOMORROW + DAY)]
    assert not Occurrence.objects.filter(pk=old).exists()
    notification.refresh_from_db()
    assert Schedule.from_json(notification.schedule).at == TOMORROW + DAY


def test_a_moment_that_passes_while_it_is_stored_fires_at_once(send, revise, rung):
    notification = send(Schedule(at=TOMORROW))

    rings = rung(
        lambda: revise(notification, schedule=Schedule(at=timezone.now() - SECOND)),
    )

    assert rings == [ahead(notification).pk]


def test_a_new_period_and_a_new_end_count_from_the_first_moment(send, revise):
    at = timezone.now().replace(microsecond=0) - 10 * DAY + timedelta(hours=1)
    notification = send(Schedule(at=at, every=DAY))

    revise(notification, schedule=Schedule(at=at, every=7 * DAY))
    assert ahead(notification).due_at == at + 14 * DAY

    revise(notification, schedule=Schedule(at=at, every=7 * DAY, until=at + 14 * DAY))
    assert ahead(notification).due_at == at + 14 * DAY

    revise(notification, schedule=Schedule(at=at, every=7 * DAY, until=at + 14 * DAY - SECOND))
    assert said(notification) == (0, False)
    assert find_waiting(now=TOMORROW, at_most=9).occurrences == []


def test_a_later_end_given_while_the_last_run_is_under_way_lengthens_the_series(send, revise):
    at = timezone.now().replace(microsecond=0) - SECOND
    notification = send(Schedule(at=at - DAY, every=DAY, until=at))
    assert not notification.occurrences.exists()
    revise(notification, active=True)
    fire(ahead(notification), until="sending")

    revise(notification, schedule=Schedule(at=at - DAY, every=DAY, until=at + DAY))

    assert ahead(notification).due_at == at + DAY


def test_a_new_schedule_of_what_is_paused_or_over_is_only_stored(send, revise):
    paused = send(DAILY)
    revise(paused, active=False)
    paused_under_way = send(DAILY)
    fire(ahead(paused_under_way), until="sending")
    revise(paused_under_way, active=False)
    over = send(Schedule(at=TOMORROW))
    fire(ahead(over))
    new = Schedule(at=TOMORROW + DAY, every=DAY)

    for notification in (paused, paused_under_way, over):
        before = states(notification)
        revise(notification, schedule=new)
        assert states(notification) == before
        notification.refresh_from_db()
        assert Schedule.from_json(notification.schedule) == new

        revise(notification, active=True)
        assert ahead(notification).due_at == TOMORROW + DAY


def test_a_new_schedule_and_activity_together_start_what_was_over(send, revise):
    notification = send(Schedule(at=TOMORROW))
    fire(ahead(notification))

    revise(notification, schedule=DAILY, active=True)

    assert ahead(notification).due_at == TOMORROW


def test_a_new_schedule_and_a_pause_together_store_the_one_and_do_the_other(send, revise):
    notification = send(Schedule(at=TOMORROW))

    revise(notification, schedule=DAILY, active=False)

    assert states(notification) == [("cancelled", TOMORROW)]
    notification.refresh_from_db()
    assert Schedule.from_json(notification.schedule) == DAILY


@pytest.mark.parametrize("state", ["planning", "sending", "finished"])
def test_a_moment_for_a_one_shot_that_has_fired_is_only_stored(send, revise, state):
    notification = send()
    fire(ahead(notification), until=state)

    revise(notification, schedule=Schedule(at=TOMORROW))

    assert [state for state, _ in states(notification)] == [state]
    notification.refresh_from_db()
    assert Schedule.from_json(notification.schedule).at == TOMORROW


def test_a_run_begun_by_a_clock_ahead_of_ours_does_not_fire_again(send, revise):
    notification = send(DAILY)
    notification.occurrences.update(state="finished")  # at 2099, another machine says

    revise(notification, active=True)

    assert states(notification) == [("finished", TOMORROW), ("due", TOMORROW + DAY)]


def test_new_words_are_said_by_runs_from_now_on(send, revise, phones, memory):
    memory()
    phones.ring("a", transport="fcm")
    notification = send(DAILY)
    first = ahead(notification)
    fire(first, until="sending")

    revise(notification, message=ANEW)
    second = ahead(notification)
    fire(second)

    spoken = {
        batch.occurrence_id: push_of(batch).message
        for batch in Batch.objects.select_related("occurrence__notification")
    }
    assert spoken == {first.pk: HELLO, second.pk: ANEW}

    Occurrence.objects.filter(pk=second.pk).update(state="sending")
    revise(notification, message=HELLO)
    batches = Batch.objects.select_related("occurrence__notification")
    assert push_of(batches.get(occurrence=first)).message == HELLO
    assert push_of(batches.get(occurrence=second)).message == ANEW


def test_only_what_is_given_changes(send, revise):
    notification = send(DAILY, name="old", filters={"said": 1})
    unchanged = ("message", "schedule", "name", "filters", "cancelled_at", "audience")
    before = {name: getattr(notification, name) for name in unchanged}
    run = ahead(notification).pk

    revised = revise(notification, name="", filters={})

    assert revised.updated_at > notification.updated_at
    stored = Notification.objects.get(pk=notification.pk)
    after = {name: getattr(stored, name) for name in unchanged}
    assert after == before | {"name": "", "filters": {}}
    assert ahead(notification).pk == run


def test_words_no_provider_would_take_are_refused_and_nothing_changes(send, revise):
    notification = send(DAILY)
    long = RawMessage(transport="fcm", payload={"data": {"message": "x" * 5000}})

    with pytest.raises(Invalid, match="is too large"):
        revise(notification, message=long, active=False, name="new")

    assert states(notification) == [("due", TOMORROW)]


def test_local_sends_can_be_renamed_and_paused_and_not_moved(app, send, phones):
    phones.ring("a")
    local = Schedule(wall_clock=datetime(2099, 1, 1, 9))
    notification = send(local, source="kumulos", message=Message(title="Hello", body="World"))
    moments = send(DAILY, source="kumulos")

    def revise(which, **changes):
        asked = Revision(app=app, notification_id=which.pk, source="kumulos", **changes)
        return revise_notification(asked)

    for which, changes in [
        (notification, {"schedule": DAILY}),
        (notification, {"active": True}),
        (moments, {"schedule": local}),
    ]:
        with pytest.raises(Invalid, match="local time"):
            revise(which, **changes)
    revise(notification, name="new", active=False)
    assert [state for state, _ in states(notification)] == ["cancelled"]
    notification.refresh_from_db()
    assert (notification.name, notification.zones_open_until) == ("new", None)


def test_what_is_withdrawn_fires_no_more_and_is_shown_no_more(app, send, revise):
    notification = send(DAILY)
    run = ahead(notification)
    fire(run, until="sending")

    withdraw_notification(app=app, notification_id=notification.pk, source=CUBE)

    assert [state for state, _ in states(notification)] == ["sending", "cancelled"]
    notification.refresh_from_db()
    assert notification.deleted_at == notification.cancelled_at == notification.updated_at
    assert notification not in pushes(app)
    with pytest.raises(NotFound):
        revise(notification, active=True)
    with pytest.raises(NotFound):
        withdraw_notification(app=app, notification_id=notification.pk, source=CUBE)
    with pytest.raises(NotFound):
        cancel_notification(app=app, notification_id=notification.pk)


def test_what_was_paused_before_keeps_the_moment_of_its_pause(app, send, revise):
    notification = send(DAILY)
    paused = revise(notification, active=False).cancelled_at

    withdraw_notification(app=app, notification_id=notification.pk, source=CUBE)

    notification.refresh_from_db()
    assert notification.cancelled_at == paused < notification.deleted_at


def test_what_is_deleted_and_not_cancelled_cannot_be_stored(send):
    with pytest.raises(IntegrityError), transaction.atomic():
        Notification.objects.filter(pk=send().pk).update(deleted_at=timezone.now())


def test_another_apps_another_dialects_and_another_kind_are_not_there(app, send, revise):
    stranger = create_app(name="Other").app
    mine = send(DAILY)
    kumulos = send(DAILY, source="kumulos")
    in_app = send(DAILY, message=InAppMessage(template_uid="t", content={}))

    for owner, notification in [(stranger, mine), (app, kumulos), (app, in_app)]:
        asked = Revision(app=owner, notification_id=notification.pk, source=CUBE, active=False)
        with pytest.raises(NotFound):
            revise_notification(asked)
        with pytest.raises(NotFound):
            withdraw_notification(app=owner, notification_id=notification.pk, source=CUBE)
        assert states(notification) == [("due", TOMORROW)]


def test_a_cancelled_series_stays_cancelled(app, send):
    notification = send(DAILY)

    cancel_notification(app=app, notification_id=notification.pk)

    assert said(notification) == (0, False)


def test_several_are_stored_together_or_not_at_all_and_rung_for_after_that(app, send, rung):
    anna = User.objects.create(app=app, uid="anna")

    def both():
        with transaction.atomic():
            send(author=anna)
            send(author=anna)

    assert len(rung(both)) == 2
    assert {n.author for n in Notification.objects.all()} == {anna}

    @transaction.atomic
    def neither():
        send()
        send(message=RawMessage(transport="fcm", payload={"data": {"a": "x" * 5000}}))

    def refused():
        with pytest.raises(Invalid):
            neither()

    assert rung(refused) == []
    assert Notification.objects.count() == 2
