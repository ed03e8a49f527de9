"""Pushes without an answer: final, or sent once more where the app wants that."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import App
from delivery import dispatch, fanout
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.message import Message
from delivery.models import Batch, Delivery, Notification, Occurrence
from delivery.models.notification import Lane
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(sends):
    def send(*, resend, **said):
        occurrence = sends.to_everyone(**said)
        Notification.objects.update(resend_uncertain=resend)
        list(fanout.plan_batches(occurrence.pk))
        return again(occurrence)

    return send


def again(occurrence):
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    while dispatch.deliver_next("bulk"):
        pass
    occurrence.refresh_from_db()
    return occurrence


def verdicts():
    return dict(Delivery.objects.values_list("token_id", "verdict"))


@pytest.mark.parametrize(
    ("policy", "lane", "resends"),
    [
        ("never", Lane.URGENT, False),
        ("urgent", Lane.URGENT, True),
        ("urgent", Lane.BULK, False),
        ("always", Lane.BULK, True),
    ],
)
def test_the_app_and_the_lane_decide_when_a_notification_is_accepted(app, policy, lane, resends):
    App.objects.update(resend_uncertain=policy)
    app.refresh_from_db()
    notification = send_notification(
        SendNotification(
            app=app,
            source=Notification.Source.KUMULOS,
            message=Message(title="Hello", body="World"),
            audience=Audience(everyone=True),
            lane=lane,
        )
    )
    assert notification.resend_uncertain is resends


def test_a_push_without_an_answer_is_final_where_nobody_wants_it_twice(phones, memory, sent):
    token = phones.ring("one")
    provider = memory({token.value: "uncertain accepted"})

    occurrence = again(sent(resend=False))

    assert (verdicts(), occurrence.replayed) == ({token.pk: "uncertain"}, 0)
    assert len(provider.sent) == 1


def test_a_push_without_an_answer_is_sent_once_more_under_the_same_id(phones, memory, sent):
    lost, quick = phones.ring("lost"), phones.ring("quick")
    provider = memory({lost.value: "uncertain accepted"})

    occurrence = sent(resend=True)
    assert (verdicts(), occurrence.pending) == ({quick.pk: "accepted"}, 1)
    wait = Batch.objects.get(state="waiting").next_attempt_at - timezone.now()
    assert wait > timedelta(seconds=7)
    again(occurrence)

    assert verdicts() == {lost.pk: "accepted", quick.pk: "accepted"}
    assert (occurrence.replayed, occurrence.state) == (1, Occurrence.State.FINISHED)
    ids = [push_id for push_id, address in provider.sent if address == lost.value]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_without_an_answer_a_second_time_it_is_uncertain(phones, memory, sent):
    token = phones.ring("one")
    provider = memory({token.value: "uncertain"})

    occurrence = again(again(sent(resend=True)))

    assert verdicts() == {token.pk: "uncertain"}
    assert (len(provider.sent), occurrence.replayed, occurrence.pending) == (2, 1, 0)


def test_it_is_sent_no_third_time_when_the_second_has_to_wait(phones, memory, sent):
    token = phones.ring("one")
    provider = memory({token.value: "uncertain throttled:5 uncertain accepted"})

    occurrence = again(again(again(sent(resend=True))))

    assert verdicts() == {token.pk: "uncertain"}
    assert (len(provider.sent), occurrence.replayed) == (3, 1)


@pytest.mark.parametrize("ends", ["expires", "is called off", "has no time left"])
def test_what_may_have_arrived_is_uncertain_whatever_keeps_it_from_going_out_again(
    phones, memory, sent, ends
):
    token = phones.ring("one")
    memory({token.value: "uncertain accepted"})
    short = timedelta(seconds=5) if ends == "has no time left" else timedelta(hours=1)
    occurrence = sent(resend=True, time_to_live=short)
    if ends == "expires":
        Occurrence.objects.update(expires_at=timezone.now())
    elif ends == "is called off":
        Occurrence.objects.update(called_off_at=timezone.now())

    again(occurrence)

    assert verdicts() == {token.pk: "uncertain"}
    assert (occurrence.uncertain, occurrence.pending) == (1, 0)


def test_what_a_lost_worker_left_is_sent_again_for_that_and_for_nothing_else(phones, memory, sends):
    token = phones.ring("one")
    provider = memory({token.value: "uncertain"})
    occurrence = sends.to_everyone()
    Notification.objects.update(resend_uncertain=True)
    list(fanout.plan_batches(occurrence.pk))
    claims.take_batch("bulk", now=timezone.now())  # and never heard of again
    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.free_lost_batches(now=timezone.now())

    again(again(occurrence))

    assert (verdicts(), occurrence.replayed) == ({token.pk: "uncertain"}, 1)
    assert len(provider.sent) == 1
