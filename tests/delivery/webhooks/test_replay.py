"""Told again: from a cursor, or one delivery; and what is kept for it, and for how long."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.errors import Conflict, Invalid
from delivery.commands.webhooks import (
    WriteWebhook,
    change_webhook,
    create_webhook,
    replay_delivery,
    replay_from,
    rotate_secret,
    start_webhook,
    stop_webhook,
)
from delivery.models import WebhookDelivery, WebhookEvent, WebhookReader
from delivery.webhooks.events import BEGINNING, Position, read_position
from delivery.webhooks.keeping import forget_events
from delivery.webhooks.stream import number_events
from tests.delivery.webhooks.conftest import tell
from tests.delivery.webhooks.receiver import Reply

pytestmark = pytest.mark.django_db


def _ids(receiver):
    return [event["id"] for event in receiver.events]


def test_a_replay_from_a_cursor_tells_the_same_again_and_what_is_new_after_it(
    hook, receiver, phones, happenings
):
    token = phones.ring("one")
    made = hook(["push.outcome", "push.opened"])
    occurrence = happenings.broadcast()
    tell()
    happenings.tap(token.install, occurrence, by="ann")
    tell()
    first, second = _ids(receiver)

    replay_from(made.webhook, after=read_position(first))
    happenings.tap(token.install, occurrence, by="bob")
    tell()
    assert _ids(receiver)[2:3] == [second]
    assert receiver.events[-1]["data"]["userId"] == "bob"

    replay_from(made.webhook, after=BEGINNING)
    tell()
    assert _ids(receiver)[4:] == [*_ids(receiver)[:2], _ids(receiver)[3]]


def test_a_replay_begins_within_a_slice(hook, receiver, phones, happenings):
    phones.many(12)
    made = hook(["push.outcome"])
    happenings.broadcast()
    tell()
    lane = [id_ for id_ in _ids(receiver) if id_.startswith("4.")]
    receiver.calls.clear()

    replay_from(made.webhook, after=read_position(lane[0]))
    tell()

    assert _ids(receiver) == lane[1:]


def test_one_delivery_is_told_again_and_nothing_else(hook, receiver, phones, happenings):
    phones.ring("one")
    hook(["push.outcome"])
    happenings.broadcast()
    tell()
    happenings.broadcast()
    tell()
    first = WebhookDelivery.objects.order_by("pk").first()

    replay_delivery(first)
    tell()

    assert [call.headers["webhook-id"] for call in receiver.calls].count(first.message_id) == 2
    assert len(receiver.calls) == 3
    assert receiver.calls[0].body == receiver.calls[2].body
    again = WebhookDelivery.objects.get(replay=True)
    assert (again.state, again.message_id) == ("delivered", first.message_id)
    assert not WebhookReader.objects.filter(kind="replay").exists()


def test_a_delivery_that_waits_is_tried_now_instead(hook, receiver, phones, happenings):
    phones.ring("one")
    hook(["push.outcome"])
    receiver.fails(1, Reply(status=503))
    happenings.broadcast()
    tell()

    replay_delivery(WebhookDelivery.objects.get())
    tell()

    assert WebhookDelivery.objects.get().state == "delivered"
    assert len(receiver.calls) == 2


def test_a_stopped_webhook_replays_nothing(hook, phones, happenings):
    phones.ring("one")
    made = hook(["push.outcome"])
    happenings.broadcast()
    tell()
    stop_webhook(made.webhook)
    with pytest.raises(Conflict):
        replay_delivery(WebhookDelivery.objects.get())
    replay_from(made.webhook, after=BEGINNING)
    assert tell() == 0


@pytest.mark.parametrize("text", ["", "x", "1.", ".5", "-1", "1.2.3", "9" * 19, "\u0661"])
def test_what_is_no_cursor_is_refused(text):
    with pytest.raises(Invalid):
        read_position(text)


def test_a_cursor_is_read_as_it_is_written():
    assert read_position("0") == BEGINNING
    assert str(read_position("12.345")) == "12.345"
    assert read_position("12") == Position(12)


def test_what_is_old_is_forgotten_and_what_nobody_heard_is_noted(
    hook, receiver, phones, happenings, settings
):
    phones.many(3)
    made = hook(["push.outcome"])
    occurrence = happenings.broadcast()
    stop_webhook(made.webhook)
    happenings.tap(phones.install("apns-0"), occurrence)  # nobody wants it, so it is not kept
    number_events(now=timezone.now())
    assert forget_events(now=timezone.now()) == 0

    past = timezone.now() - settings.WEBHOOK_RETENTION - timedelta(minutes=1)
    WebhookEvent.objects.update(at=past)
    assert forget_events(now=timezone.now()) > 0

    assert not WebhookEvent.objects.exists()
    missed = WebhookDelivery.objects.filter(state="given_up")
    assert sum(delivery.events for delivery in missed) == 3
    start_webhook(made.webhook)
    with pytest.raises(Conflict):
        replay_delivery(missed.first())


def test_what_was_told_is_forgotten_without_a_word(hook, phones, happenings, settings):
    phones.ring("one")
    hook(["push.outcome"])
    happenings.broadcast()
    tell()
    forget_events(now=timezone.now() + settings.WEBHOOK_RETENTION + timedelta(minutes=1))
    assert not WebhookEvent.objects.exists()
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "https://",
        "example.com/hook",
        "https://user:pw@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exämple.com/",
        "https://example.com/a b",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "http://8.8.8.8/",
        "https://example.com/" + "x" * 2048,
    ],
)
def test_what_can_be_no_webhook_is_refused(app, url):
    with pytest.raises(Invalid) as refusal:
        create_webhook(app=app, ask=WriteWebhook(url=url, topics=["push.opened"]))
    assert "url" in refusal.value.reasons


def test_in_the_clear_is_refused_where_nothing_is_allowed(app, settings):
    settings.WEBHOOK_ALLOW = []
    with pytest.raises(Invalid, match="https"):
        create_webhook(app=app, ask=WriteWebhook(url="http://a.example/", topics=["push.opened"]))


@pytest.mark.parametrize(
    ("field", "said"),
    [("topics", {"topics": []}), ("topics", {"topics": ["push"]}), ("most_events", {})],
)
def test_what_is_to_be_told_is_checked(app, field, said):
    ask = {"url": "https://a.example/", "topics": ["push.opened"], "most_events": 0, **said}
    if said:
        ask["most_events"] = 1
    with pytest.raises(Invalid) as refusal:
        create_webhook(app=app, ask=WriteWebhook(**ask))
    assert field in refusal.value.reasons


def test_another_address_is_told_what_waits(hook, receiver, phones, happenings):
    phones.ring("one")
    made = hook(["push.outcome"])
    url = made.webhook.url
    ask = WriteWebhook(url=f"{url}/new", topics=["push.outcome", "push.opened"], most_events=10)
    change_webhook(made.webhook, ask=ask)
    happenings.broadcast()
    tell()
    assert [call.path for call in receiver.calls] == ["/hook/new"]


def test_secrets_are_few_at_a_time_and_sealed(hook):
    made = hook()
    for _ in range(4):
        rotate_secret(made.webhook)
    with pytest.raises(Conflict):
        rotate_secret(made.webhook)
    kept = made.webhook.secrets.order_by("pk").first()
    assert kept.secret == made.secret
    assert made.secret.encode() not in bytes(kept.sealed)


def test_a_webhook_hears_nothing_of_what_was_before_it(hook, receiver, phones, happenings, app):
    phones.ring("one")
    hook(["push.outcome"])
    happenings.broadcast()
    second = hook(["push.outcome"])
    tell()
    assert len(receiver.calls) == 1
    assert second.webhook.deliveries.count() == 0


def test_a_new_webhook_can_be_told_what_another_one_heard(hook, receiver, phones, happenings):
    phones.ring("one")
    hook(["push.outcome"])
    happenings.broadcast()
    tell()
    second = hook(["push.outcome"])
    replay_from(second.webhook, after=BEGINNING)
    tell()
    assert len(receiver.calls) == 2
    assert _ids(receiver)[0] == _ids(receiver)[1]
