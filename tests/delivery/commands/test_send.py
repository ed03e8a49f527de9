from datetime import UTC, datetime, timedelta

import pytest

from crm.errors import Invalid
from delivery import tasks
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.errors import NobodyNamed
from delivery.message import Badge, BadgeChange, Message
from delivery.models import Notification, Occurrence
from delivery.schedule import Schedule

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(app):
    def build(message=None, **said):
        return SendNotification(
            **{
                "app": app,
                "source": Notification.Source.KUMULOS,
                "message": Message(title="Hello", body="World", **(message or {})),
                "audience": Audience(everyone=True),
            }
            | said
        )

    return build


@pytest.fixture
def rung(monkeypatch, django_capture_on_commit_callbacks):
    """Who was rung for, once the transaction is through."""
    rings = []
    monkeypatch.setattr(tasks, "ring_for_occurrence", lambda id_, lane: rings.append((id_, lane)))

    def of(ask):
        with django_capture_on_commit_callbacks(execute=True):
            notification = send_notification(ask)
            assert not rings  # nobody is woken for what may still be rolled back
        return notification, rings

    return of


def test_a_send_is_stored_whole_and_rung_for_after_commit(ask, rung):
    message = {"data": {"a": 1}, "badge": Badge(change=BadgeChange.INCREMENT, count=-2)}
    notification, rings = rung(ask(message, reporting_meta={"c": "x"}, user_meta={"u": {"n": 1}}))

    stored = Notification.objects.get(pk=notification.pk)
    assert Message.from_json(stored.message) == Message(title="Hello", body="World", **message)
    assert Audience.from_json(stored.audience) == Audience(everyone=True)
    assert (stored.reporting_meta, stored.user_meta) == ({"c": "x"}, {"u": {"n": 1}})
    occurrence = Occurrence.objects.get()
    assert occurrence.state == Occurrence.State.DUE
    assert rings == [(occurrence.pk, "bulk")]


def test_a_send_to_few_is_urgent_and_one_to_everyone_is_not(ask):
    few = Audience(install_uids=("a", "b"), user_uids=("c",))
    many = Audience(install_uids=tuple(map(str, range(101))))

    assert send_notification(ask(audience=few)).lane == "urgent"
    assert send_notification(ask(audience=many)).lane == "bulk"
    assert send_notification(ask()).lane == "bulk"
    assert send_notification(ask({"high_priority": True})).lane == "urgent"
    assert send_notification(ask({"high_priority": True}, lane="bulk")).lane == "bulk"


def test_a_send_for_later_waits_for_its_moment(ask, rung):
    at = datetime(2030, 1, 1, 9, tzinfo=UTC)
    _, rings = rung(ask(schedule=Schedule(at=at), time_to_live=timedelta(hours=2)))

    occurrence = Occurrence.objects.get()
    assert (occurrence.due_at, occurrence.expires_at) == (at, at + timedelta(hours=2))
    assert occurrence.ledger_day == at.date()
    assert rings == []


def test_what_no_provider_would_take_is_refused_and_leaves_no_row(ask):
    with pytest.raises(Invalid, match="message: is too large"):
        send_notification(ask({"data": {"a": "x" * 5000}}))

    assert not Notification.objects.exists()


def test_an_audience_of_nobody_cannot_be_built():
    with pytest.raises(NobodyNamed):
        Audience(except_install_uids=("a",))
