from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from crm.commands.apps import create_app
from crm.errors import Conflict, NotFound
from delivery import fanout
from delivery.audience import Audience
from delivery.commands.amend import cancel_notification, edit_notification
from delivery.commands.send import SendNotification, send_notification
from delivery.firings import welcome_zones
from delivery.message import InAppMessage, Message
from delivery.models import Notification, Occurrence
from delivery.schedule import NOW, Schedule

pytestmark = pytest.mark.django_db

LATER = Schedule(at=datetime(2099, 1, 1, tzinfo=UTC))


@pytest.fixture
def ask(app):
    def build(schedule=LATER, *, title="Hello", message=None):
        return SendNotification(
            app=app,
            source=Notification.Source.KUMULOS,
            message=message or Message(title=title, body="World"),
            audience=Audience(everyone=True),
            schedule=schedule,
        )

    return build


def states(notification):
    return sorted(notification.occurrences.values_list("state", flat=True))


def test_what_is_cancelled_never_fires(app, ask, phones):
    phones.ring("a")
    notification = send_notification(ask())

    cancel_notification(app=app, notification_id=notification.pk)

    assert states(notification) == ["cancelled"]
    Occurrence.objects.update(due_at=timezone.now())
    assert list(fanout.plan_batches(notification.occurrences.get().pk)) == []
    with pytest.raises(Conflict):
        cancel_notification(app=app, notification_id=notification.pk)


def test_what_was_sent_cannot_be_cancelled_or_edited(app, ask):
    notification = send_notification(ask(NOW))
    list(fanout.plan_batches(notification.occurrences.get().pk))

    with pytest.raises(Conflict):
        cancel_notification(app=app, notification_id=notification.pk)
    with pytest.raises(Conflict):
        edit_notification(ask(), notification_id=notification.pk)
    assert states(notification) == ["finished"]


def test_the_zones_still_to_come_can_be_cancelled(app, ask, phones):
    phones.ring("a")
    notification = send_notification(ask(Schedule(wall_clock=datetime(2099, 1, 1, 9))))
    Occurrence.objects.create(
        notification=notification,
        due_at=timezone.now(),
        zone="Asia/Tokyo",
        state=Occurrence.State.FINISHED,
        expires_at=timezone.now(),
        ledger_day=timezone.now().date(),
    )

    cancel_notification(app=app, notification_id=notification.pk)

    assert states(notification) == ["cancelled", "finished"]
    assert welcome_zones(now=timezone.now()) == 0


def test_an_edited_notification_keeps_its_id_and_nothing_else(app, ask):
    notification = send_notification(ask())
    created_at = notification.created_at

    edited = edit_notification(
        ask(Schedule(at=datetime(2098, 1, 1, tzinfo=UTC)), title="Anew"),
        notification_id=notification.pk,
    )

    assert edited.pk == notification.pk
    edited.refresh_from_db()
    assert edited.message["title"] == "Anew"
    assert edited.created_at == created_at
    assert edited.updated_at > created_at
    [occurrence] = edited.occurrences.all()
    assert occurrence.due_at == datetime(2098, 1, 1, tzinfo=UTC)


def test_an_edit_may_send_at_once(ask, phones, django_capture_on_commit_callbacks):
    phones.ring("a")
    notification = send_notification(ask())

    with django_capture_on_commit_callbacks() as rung:
        edit_notification(ask(NOW), notification_id=notification.pk)

    assert len(rung) == 1
    assert list(fanout.plan_batches(notification.occurrences.get().pk)) == [1]


def test_what_is_cancelled_cannot_be_edited(app, ask):
    notification = send_notification(ask())
    cancel_notification(app=app, notification_id=notification.pk)

    with pytest.raises(Conflict):
        edit_notification(ask(), notification_id=notification.pk)
    assert states(notification) == ["cancelled"]


def test_another_apps_notification_and_another_kind_are_not_there(app, ask):
    notification = send_notification(ask())
    stranger = create_app(name="Other").app
    in_app = send_notification(ask(message=InAppMessage(template_uid="t", content={})))

    with pytest.raises(NotFound):
        cancel_notification(app=stranger, notification_id=notification.pk)
    with pytest.raises(NotFound):
        cancel_notification(app=app, notification_id=in_app.pk)
    with pytest.raises(NotFound):
        edit_notification(ask(), notification_id=in_app.pk)
    assert states(notification) == ["due"]


def test_a_firing_being_planned_has_begun(app, ask):
    notification = send_notification(ask())
    notification.occurrences.update(
        state=Occurrence.State.PLANNING, lease_until=timezone.now() + timedelta(minutes=1)
    )

    with pytest.raises(Conflict):
        edit_notification(ask(), notification_id=notification.pk)
    cancel_notification(app=app, notification_id=notification.pk)
    assert notification.occurrences.get().called_off_at is not None
    with pytest.raises(Conflict):  # once is enough
        cancel_notification(app=app, notification_id=notification.pk)


def test_a_local_send_nobody_is_ahead_of_yet_can_be_edited_and_cancelled(app, ask):
    wall = (timezone.now() - timedelta(hours=2)).replace(tzinfo=None)
    notification = send_notification(ask(Schedule(wall_clock=wall)))
    assert states(notification) == []

    edit_notification(ask(Schedule(wall_clock=wall), title="Anew"), notification_id=notification.pk)
    cancel_notification(app=app, notification_id=notification.pk)

    notification.refresh_from_db()
    assert notification.cancelled_at is not None
    assert notification.message["title"] == "Anew"
    with pytest.raises(Conflict):
        cancel_notification(app=app, notification_id=notification.pk)
