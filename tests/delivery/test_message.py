from datetime import UTC, datetime

import pytest

from delivery import dispatch, fanout
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.message import Button, Message, RawMessage, named, read_message
from delivery.models import Batch, Notification
from delivery.providers.apns.payload import COLLAPSE_ID_LIMIT
from delivery.providers.fcm.payload import render
from delivery.providers.fitness import LARGEST_ID, refusal_of

EVENT = RawMessage(
    transport="fcm", payload={"data": {"message": "Hello"}}, collapse_id="event{notification}"
)


def test_a_raw_message_is_named_after_its_notification_where_it_asks_for_it():
    assert EVENT.named(8430).collapse_id == "event8430"
    assert (
        RawMessage(transport="fcm", payload={}, collapse_id="mine").named(1).collapse_id == "mine"
    )
    assert RawMessage(transport="fcm", payload={}).named(1).collapse_id is None
    twice = RawMessage(transport="fcm", payload={}, collapse_id="{notification}-{notification}{x}")
    assert twice.named(7).collapse_id == "7-7{x}"


def test_what_is_stored_keeps_the_gap():
    assert read_message(EVENT.as_json()) == EVENT
    assert EVENT.as_json()["collapse_id"] == "event{notification}"


def test_a_callers_own_collapse_id_is_never_looked_into():
    message = Message(title="Hello", body="World", collapse_id="{notification}")
    assert named(message, 7) == message


def test_whether_a_message_fits_is_judged_with_the_longest_id():
    def refused(length):
        collapse_id = "x" * length + "{notification}"
        voip = RawMessage(
            transport="apns", payload={"aps": {"alert": "Hello"}}, collapse_id=collapse_id
        )
        return refusal_of(voip) is not None

    room = COLLAPSE_ID_LIMIT - len(str(LARGEST_ID))
    assert [refused(length) for length in (room - 1, room, room + 1)] == [False, False, True]


@pytest.mark.django_db
def test_the_provider_is_told_the_number_and_not_the_gap(app, phones):
    phones.ring("a", transport="fcm")
    notification = send_notification(
        SendNotification(
            app=app,
            source=Notification.Source.CONNECTYCUBE,
            message=EVENT,
            audience=Audience(everyone=True),
        )
    )
    list(fanout.plan_batches(notification.occurrences.get().pk))

    push = dispatch.push_of(Batch.objects.select_related("occurrence__notification").get())

    message = render(push, now=datetime(2026, 1, 1, tzinfo=UTC)).message
    assert message["android"]["collapse_key"] == f"event{notification.pk}"


def test_buttons_and_a_picture_are_read_back_as_they_were_said():
    said = Message(
        title="Hello",
        body="World",
        image="https://example.com/cat.png",
        buttons=(Button(id="yes", text="Yes"),),
    )
    assert Message.from_json(said.as_json()) == said
