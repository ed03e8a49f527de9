"""Stopping a send that is under way, through the engine: counted device by device."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from delivery import dispatch, fanout
from delivery.audience import Audience
from delivery.commands.amend import (
    Revision,
    cancel_notification,
    revise_notification,
    withdraw_notification,
)
from delivery.commands.send import SendNotification, send_notification
from delivery.message import Message
from delivery.models import Batch, Delivery, Notification
from delivery.reports import Standing, progress, runs

pytestmark = pytest.mark.django_db

SOURCE = Notification.Source.CONNECTYCUBE


@pytest.fixture
def under_way(app, phones, settings, memory):
    """Give a broadcast to ten of which two have it: five batches of two are planned."""
    settings.PLAN_PAGE, settings.BATCH_SIZE = 1000, 2
    memory()
    phones.many(10)
    notification = send_notification(
        SendNotification(
            app=app,
            source=SOURCE,
            message=Message(title="Hello", body="World"),
            audience=Audience(everyone=True),
        )
    )
    occurrence = notification.occurrences.get()
    list(fanout.plan_batches(occurrence.pk))
    assert dispatch.deliver_next("bulk")
    return notification


def counts(notification):
    occurrence = notification.occurrences.get()
    told = (occurrence.targeted, occurrence.accepted, occurrence.cancelled, occurrence.pending)
    rows = Delivery.objects.filter(occurrence_id=occurrence.pk)
    assert rows.filter(verdict="accepted").count() == occurrence.accepted
    assert rows.filter(verdict="cancelled").count() == occurrence.cancelled
    return occurrence.state, told


def work():
    while dispatch.deliver_next("bulk"):
        pass


def revise(notification, **said):
    revision = Revision(
        app=notification.app, notification_id=notification.pk, source=SOURCE, **said
    )
    return revise_notification(revision)


def standing(notification):
    notification.refresh_from_db()
    [shown] = progress([notification], now=timezone.now())
    return shown.standing


def test_what_is_cancelled_half_way_tells_who_has_it_and_who_has_not(app, under_way):
    cancel_notification(app=app, notification_id=under_way.pk)
    assert counts(under_way) == ("sending", (10, 2, 0, 8))
    work()
    assert counts(under_way) == ("finished", (10, 2, 8, 0))
    reasons = Delivery.objects.filter(verdict="cancelled").values_list("reason", flat=True)
    assert set(reasons) == {"cancelled while it was under way"}
    assert standing(under_way) == Standing.CANCELLED


def test_a_planner_finds_its_send_called_off_and_targets_nobody_more(
    app, phones, settings, memory, sends
):
    settings.PLAN_PAGE, settings.BATCH_SIZE = 4, 2
    memory()
    phones.many(10)
    occurrence = sends.to_everyone()
    pages = fanout.plan_batches(occurrence.pk)
    next(pages)
    cancel_notification(app=app, notification_id=occurrence.notification_id)
    assert list(pages) == []
    work()
    assert counts(occurrence.notification) == ("finished", (4, 0, 4, 0))


def test_a_retry_far_ahead_ends_at_once(app, under_way):
    later = timezone.now() + timedelta(hours=1)
    Batch.objects.filter(state="waiting").update(next_attempt_at=later)
    cancel_notification(app=app, notification_id=under_way.pk)
    work()
    assert counts(under_way) == ("finished", (10, 2, 8, 0))


def test_what_its_author_deletes_half_way_is_called_off_too(app, under_way):
    withdraw_notification(app=app, notification_id=under_way.pk, source=SOURCE)
    work()
    assert counts(under_way) == ("finished", (10, 2, 8, 0))


def test_a_pause_holds_up_what_is_under_way_and_nobody_gets_it_twice(under_way):
    revise(under_way, active=False)
    work()
    assert counts(under_way) == ("sending", (10, 2, 0, 8))
    assert standing(under_way) == Standing.PAUSED
    assert runs([under_way])[under_way.pk].pending is False

    revise(under_way, active=True)
    assert standing(under_way) == Standing.SENDING
    assert runs([under_way])[under_way.pk].pending is True
    work()
    assert counts(under_way) == ("finished", (10, 10, 0, 0))
    assert under_way.occurrences.count() == 1


def test_a_pause_does_not_shorten_what_a_provider_asked_to_wait_for(under_way):
    throttled = Batch.objects.filter(state="waiting").first()
    later = timezone.now() + timedelta(minutes=10)
    asked = Batch.objects.filter(pk=throttled.pk)
    asked.update(next_attempt_at=later, lane="retry", last_reason="TooManyRequests")

    revise(under_way, active=False)
    work()
    revise(under_way, active=True)
    work()

    assert counts(under_way) == ("sending", (10, 8, 0, 2))
    throttled.refresh_from_db()
    assert throttled.next_attempt_at == later


def test_what_is_paused_can_be_cancelled(app, under_way):
    revise(under_way, active=False)
    work()
    cancel_notification(app=app, notification_id=under_way.pk)
    work()
    assert counts(under_way) == ("finished", (10, 2, 8, 0))


def test_what_is_paused_too_long_expires(under_way):
    revise(under_way, active=False)
    under_way.occurrences.update(expires_at=timezone.now())
    work()
    occurrence = under_way.occurrences.get()
    assert (occurrence.accepted, occurrence.expired, occurrence.pending) == (2, 8, 0)


def test_operators_stop_a_send_in_the_admin_and_are_told_who_has_it(
    client, under_way, django_user_model
):
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = "/admin/delivery/notification/"

    def act(action):
        form = {"action": action, "_selected_action": [under_way.pk]}
        return client.post(page, form, follow=True).content.decode()

    assert "2 of 10 have it, 8 are pending" in act("pause")
    work()
    assert counts(under_way) == ("sending", (10, 2, 0, 8))
    assert "done" in act("resume")
    assert "Nothing of the notification is paused" in act("resume")
    assert "2 of 10 have it" in act("cancel")
    work()
    assert counts(under_way) == ("finished", (10, 2, 8, 0))


def test_whoever_may_only_look_stops_nothing(client, under_way, django_user_model):
    viewer = django_user_model.objects.create_user("viewer", "", "viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(viewer)
    form = {"action": "cancel", "_selected_action": [under_way.pk]}
    client.post("/admin/delivery/notification/", form)
    work()
    assert counts(under_way) == ("finished", (10, 10, 0, 0))
