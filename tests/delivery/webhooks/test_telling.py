"""What is told, in which order, and what happens when the receiver will not have it."""

from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.utils import timezone
from redis import Redis

from crm.commands.apps import create_app
from delivery import tasks
from delivery.commands.webhooks import rotate_secret, start_webhook
from delivery.doorbell import Doorbell
from delivery.models import Delivery, Webhook, WebhookDelivery, WebhookEvent, WebhookReader
from delivery.models.webhook import Topic
from delivery.outbox import listeners
from delivery.providers.contract import push_id_of
from delivery.webhooks import readers, telling
from delivery.webhooks.patience import WAITS
from tests.conftest import Phones
from tests.delivery.webhooks.conftest import hurry, tell
from tests.delivery.webhooks.receiver import Reply

pytestmark = pytest.mark.django_db


def _only(topic, events):
    return [event for event in events if event["type"] == topic]


def test_outcomes_deaths_and_the_finish_of_a_send_are_told(hook, receiver, phones, happenings):
    good, dead, doubted = phones.ring("good"), phones.ring("dead"), phones.ring("bad")
    hook()

    occurrence = happenings.broadcast({dead.value: "unregistered", doubted.value: "rejected"})
    Delivery.objects.update(provider_ref="")  # as Apple's: the name is worked out
    happenings.tap(good.install, occurrence, by="ann")
    tell()

    outcomes = {e["data"]["installId"]: e["data"] for e in _only("push.outcome", receiver.events)}
    assert {uid: o["outcome"] for uid, o in outcomes.items()} == {
        "good": "accepted",
        "dead": "unregistered",
        "bad": "rejected",
    }
    assert outcomes["good"] == {
        "notificationId": occurrence.notification_id,
        "occurrenceId": occurrence.pk,
        "installId": "good",
        "userId": good.install.user.uid,
        "tokenId": good.pk,
        "transport": "apns",
        "outcome": "accepted",
        "reason": outcomes["good"]["reason"],
        "providerId": push_id_of(occurrence.pk, good.pk),
    }
    [died] = _only("token.retired", receiver.events)
    assert (died["data"]["installId"], died["data"]["token"]) == ("dead", dead.value)
    [opened] = _only("push.opened", receiver.events)
    assert (opened["data"]["installId"], opened["data"]["userId"]) == ("good", "ann")
    [finished] = _only("notification.finished", receiver.events)
    assert finished["data"]["targeted"] == 3
    assert finished["data"]["outcomes"]["accepted"] == 1
    assert len({event["id"] for event in receiver.events}) == len(receiver.events) == 6


def test_what_the_cap_held_back_is_told(hook, receiver, phones, happenings, app):
    phones.ring("one")
    app.cap_pushes = 1
    app.save()
    happenings.broadcast({})
    hook()

    happenings.broadcast({})
    tell()

    [told] = _only("push.outcome", receiver.events)
    assert (told["data"]["outcome"], told["data"]["reason"]) == (
        "capped",
        "1 push in 24 hours already",
    )
    assert told["data"]["providerId"] == ""
    [finished] = _only("notification.finished", receiver.events)
    outcomes = finished["data"]["outcomes"]
    assert set(outcomes) == set(Delivery.Verdict.values)
    assert (outcomes["capped"], sum(outcomes.values())) == (1, finished["data"]["targeted"])


def test_a_call_is_signed_with_every_secret_that_lives(hook, receiver, phones, happenings):
    phones.ring("one")
    made = hook()
    second = rotate_secret(made.webhook, overlap=timedelta(hours=1))

    happenings.broadcast()
    tell()

    assert all(c.is_signed_with(made.secret) and c.is_signed_with(second) for c in receiver.calls)
    assert receiver.calls[0].headers["content-type"] == "application/json"
    assert not receiver.calls[0].is_signed_with("whsec_" + "A" * 43 + "=")

    made.webhook.secrets.filter(expires_at__isnull=False).update(expires_at=timezone.now())
    happenings.broadcast()
    tell()
    assert receiver.calls[-1].is_signed_with(second)
    assert not receiver.calls[-1].is_signed_with(made.secret)


def test_only_what_is_wanted_is_kept_and_told(hook, receiver, phones, happenings):
    token = phones.ring("one")
    hook(["push.opened"])

    occurrence = happenings.broadcast()
    happenings.tap(token.install, occurrence)
    tell()

    assert [event["type"] for event in receiver.events] == ["push.opened"]
    assert WebhookEvent.objects.count() == 1


def test_an_app_without_webhooks_keeps_nothing_and_asks_nothing(
    phones, happenings, sends, memory, django_assert_num_queries
):
    token = phones.ring("one")
    occurrence = happenings.broadcast()
    happenings.tap(token.install, occurrence)

    assert not WebhookEvent.objects.exists()
    assert not listeners.anybody_wants(Topic.OUTCOME)
    with django_assert_num_queries(0):
        assert not listeners.anybody_wants(Topic.OUTCOME)


def test_another_apps_webhook_hears_nothing(hook, receiver, phones, happenings):
    other = create_app(name="Other").app
    Phones(other).ring("theirs")
    phones.ring("ours")
    hook(of=other)

    happenings.broadcast()
    tell()

    assert receiver.calls == []


def test_a_slice_of_outcomes_is_a_row_a_lane_and_many_events_a_request(
    hook, receiver, phones, happenings
):
    phones.many(40)
    hook(["push.outcome"], most_events=5)

    happenings.broadcast()
    assert WebhookEvent.objects.count() == 4
    tell()

    assert len(_only("push.outcome", receiver.events)) == 40
    assert max(len(call.events) for call in receiver.calls) == 5
    assert len({event["data"]["installId"] for event in receiver.events}) == 40


def test_one_install_is_told_in_order_across_failures(hook, receiver, phones, happenings):
    token = phones.ring("one")
    made = hook(["push.outcome", "push.opened"])
    receiver.fails(3, Reply(status=500))

    first = happenings.broadcast()
    tell()
    happenings.tap(token.install, first, by="ann")
    second = happenings.broadcast()
    happenings.tap(token.install, second, by="ann")
    for _ in range(8):
        hurry(made.webhook)
        tell()

    ids = [event["id"] for event in receiver.events]
    fresh = list(dict.fromkeys(ids))
    assert fresh == sorted(fresh, key=lambda id_: int(id_.partition(".")[0]))
    kinds = {event["id"]: event["type"] for event in receiver.events}
    assert [kinds[id_] for id_ in fresh] == ["push.outcome", "push.opened"] * 2


def test_an_event_is_told_again_under_the_same_ids(hook, receiver, phones, happenings):
    phones.ring("one")
    made = hook(["push.outcome"])
    receiver.fails(2, Reply(status=503))

    happenings.broadcast()
    for _ in range(3):
        tell()
        hurry(made.webhook)

    assert len(receiver.calls) == 3
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.status) == ("delivered", 3, 200)


def test_a_failure_waits_longer_each_time_and_as_long_as_it_is_asked_to(
    hook, receiver, phones, happenings
):
    phones.ring("one")
    made = hook(["push.outcome"])
    receiver.answer = lambda _: Reply(status=503)
    happenings.broadcast()

    for wait in WAITS[:4]:
        tell()
        reader = WebhookReader.objects.get(next_attempt_at__isnull=False)
        ahead = reader.next_attempt_at - timezone.now()
        assert wait - timedelta(seconds=5) < ahead < wait * 1.1 + timedelta(seconds=5)
        hurry(made.webhook)

    receiver.answer = lambda _: Reply(status=429, headers={"retry-after": "7200"})
    tell()
    reader.refresh_from_db()
    assert reader.next_attempt_at - timezone.now() > timedelta(seconds=7100)


def test_a_receiver_that_is_gone_is_told_no_more_and_loses_nothing(
    hook, receiver, phones, happenings
):
    phones.ring("one")
    made = hook(["push.outcome"])
    receiver.fails(1, Reply(status=410))

    happenings.broadcast()
    tell()
    made.webhook.refresh_from_db()
    assert not made.webhook.active
    assert "410" in made.webhook.stopped_because

    happenings.broadcast()
    hurry(made.webhook)
    tell()
    assert len(receiver.calls) == 1

    start_webhook(made.webhook)
    tell()
    assert len({event["id"] for event in receiver.events}) == 2


def test_after_three_days_of_failures_it_is_stopped_and_shown(hook, receiver, phones, happenings):
    phones.ring("one")
    made = hook(["push.outcome"])
    receiver.answer = lambda _: Reply(status=502, body=b"bad gateway")
    happenings.broadcast()

    for _ in range(len(WAITS) + 1):
        tell()
        hurry(made.webhook)

    made.webhook.refresh_from_db()
    assert not made.webhook.active
    assert "502 bad gateway" in made.webhook.stopped_because
    assert len(receiver.calls) == len(WAITS) + 1
    assert WebhookDelivery.objects.get().state == "waiting"

    receiver.answer = lambda _: Reply()
    start_webhook(made.webhook)
    tell()
    assert WebhookDelivery.objects.get().state == "delivered"


def test_one_event_nobody_takes_holds_up_its_own_install_only(hook, receiver, phones, happenings):
    tokens = phones.many(12)
    lane = tokens[0].install_id % 4
    same_lane = [t for t in tokens if t.install_id % 4 == lane]
    poison = same_lane[0]
    made = hook(["push.outcome"])
    mine = poison.install.uid

    def refuse_it(call):
        holds = any(event["data"]["installId"] == mine for event in call.events)
        return Reply(status=400, body=b"cannot parse") if holds else Reply()

    receiver.answer = refuse_it
    happenings.broadcast()
    for _ in range(6):
        tell()
        hurry(made.webhook)
    happenings.broadcast()
    tell()

    taken = [
        event["data"]["installId"]
        for call in receiver.calls
        if refuse_it(call).status == 200
        for event in call.events
    ]
    others = {t.install.uid for t in tokens} - {mine}
    assert {uid: taken.count(uid) for uid in others} == dict.fromkeys(others, 2)
    hold = WebhookReader.objects.get(kind="hold")
    assert hold.subject == poison.install_id

    receiver.calls.clear()
    receiver.answer = lambda _: Reply()
    hurry(made.webhook)
    tell()
    assert [event["data"]["installId"] for event in receiver.events] == [mine, mine]
    assert not WebhookReader.objects.filter(kind="hold").exists()

    receiver.calls.clear()
    happenings.broadcast()
    tell()
    assert len(receiver.events) == 12


def test_what_one_install_is_held_up_by_is_given_up_in_the_end(hook, receiver, phones, happenings):
    token = phones.ring("one")
    made = hook(["push.outcome", "push.opened"])
    receiver.answer = lambda call: Reply(
        status=422 if any(e["type"] == "push.outcome" for e in call.events) else 200
    )
    occurrence = happenings.broadcast()
    happenings.tap(token.install, occurrence)

    for _ in range(2 * len(WAITS) + 4):
        tell()
        hurry(made.webhook)

    # at first with another; the rest of the tries alone
    [given_up] = WebhookDelivery.objects.filter(state="given_up")
    assert (given_up.status, given_up.attempts) == (422, len(WAITS))
    taken = [c.events for c in receiver.calls if all(e["type"] == "push.opened" for e in c.events)]
    assert len(taken) == 1
    made.webhook.refresh_from_db()
    assert made.webhook.active


def test_an_install_let_go_while_its_lane_was_under_way_misses_nothing(
    hook, receiver, phones, happenings
):
    token = phones.ring("one")
    made = hook(["push.outcome"])
    happenings.broadcast()
    telling.number_events(now=timezone.now())
    lane = made.webhook.readers.get(kind="lane", lane=token.install_id % 4)
    hold = WebhookReader.objects.create(
        webhook=made.webhook, kind="hold", lane=lane.lane, subject=token.install_id, seq=lane.seq
    )

    def let_go(call):
        raise AssertionError(call)

    receiver.answer = let_go
    # as if the hold had come to the lane's place, and ended, between its reading and its moving on
    reader = readers.take_reader(now=timezone.now())
    while reader.pk != lane.pk:
        readers.rest(reader)
        reader = readers.take_reader(now=timezone.now())
    turn = telling._Turn(reader, telling.Client)
    batch = turn._read()
    hold.delete()
    assert (batch.events, batch.passed) == (0, {token.install_id})
    readers.move_on(reader, batch.end, passed=batch.passed)
    readers.let_go(reader)

    receiver.answer = lambda _: Reply()
    tell()
    assert [event["data"]["installId"] for event in receiver.events] == ["one"]


def test_a_worker_that_vanished_is_followed_by_another_and_the_order_is_kept(
    hook, receiver, phones, happenings, monkeypatch
):
    token = phones.ring("one")
    made = hook(["push.outcome", "push.opened"])
    first = happenings.broadcast()

    def die(*_args, **_named):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(telling._Turn, "_settle", die)
        with pytest.raises(SystemExit):
            tell()
    happenings.tap(token.install, first)
    tell()
    assert len(receiver.calls) == 1  # its lease protects it still

    past = timezone.now() - timedelta(seconds=1)
    made.webhook.readers.filter(lease_until__isnull=False).update(lease_until=past)
    tell()

    assert [e["type"] for e in receiver.events] == ["push.outcome", "push.outcome", "push.opened"]
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert receiver.events[0]["id"] == receiver.events[1]["id"]
    assert len(ids) >= 2


def test_a_worker_that_comes_back_late_moves_nothing(hook, receiver, phones, happenings):
    phones.ring("one")
    hook(["push.outcome"])
    happenings.broadcast()
    telling.number_events(now=timezone.now())
    late = next(
        reader
        for _ in range(5)
        if (reader := readers.take_reader(now=timezone.now())) is not None
        and telling._Turn(reader, telling.Client)._read() is not None
    )
    WebhookReader.objects.filter(pk=late.pk).update(claims=late.claims + 1)

    assert not readers.move_on(late, readers.place_of(late), passed=set())
    assert not readers.put_off(late, wait=timedelta())


def test_an_address_that_is_no_longer_allowed_is_not_called(
    hook, receiver, phones, happenings, settings
):
    phones.ring("one")
    made = hook(["push.outcome"])
    settings.WEBHOOK_ALLOW = [ip_network("10.0.0.0/8")]

    happenings.broadcast()
    tell()

    assert receiver.connections == 0
    delivery = WebhookDelivery.objects.get(webhook=made.webhook)
    assert (delivery.status, delivery.state) == (None, "waiting")
    assert "https" in delivery.answer


def test_a_deleted_webhook_leaves_nothing_behind(hook, phones, happenings):
    phones.ring("one")
    made = hook(["push.outcome"])
    happenings.broadcast()
    Webhook.objects.filter(pk=made.webhook.pk).delete()
    tell()
    assert not WebhookReader.objects.exists()


def test_what_takes_nothing_shows_in_the_metrics(hook, receiver, phones, happenings, client):
    phones.ring("one")
    made = hook(["push.outcome"])
    receiver.answer = lambda _: Reply(status=503)
    happenings.broadcast()
    tell()

    metrics = client.get("/metrics").content.decode()
    assert "gateway_webhooks_failing 1.0" in metrics
    assert "gateway_webhooks_stopped 0.0" in metrics
    hurry(made.webhook)
    metrics = client.get("/metrics").content.decode()
    [age] = [line for line in metrics.splitlines() if line.startswith("gateway_webhooks_oldest")]
    assert float(age.split()[1]) >= 0.9


@pytest.fixture
def woken(monkeypatch):
    """Give how often threads were woken, by a process whose doorbell has not failed yet."""
    found = []
    monkeypatch.setattr(tasks, "doorbell", Doorbell())
    monkeypatch.setattr(tasks.teller, "wake", lambda: found.append(1))
    return found


def test_a_tick_rings_for_what_is_to_be_told_and_a_task_takes_no_time(
    hook, phones, happenings, settings, woken
):
    phones.ring("one")
    hook(["push.outcome"])
    with Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
        tell()
        tasks.tick()
        assert broker.llen("bulk") == 0  # nothing to tell
        happenings.broadcast()
        broker.flushdb()
        tasks.tick()
        assert broker.llen("bulk") == 1
        broker.flushdb()
    tasks.tell_webhooks()
    assert woken == [1]
    tell()
    assert not readers.work_waits(now=timezone.now())
