import asyncio
import logging
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from crm.commands.device_tokens import Address, register_token
from crm.models import DeviceToken
from delivery import answers, dispatch, fanout, outcomes
from delivery.models import Batch, Breaker, Delivery, Notification, Occurrence, ProviderCredential
from delivery.providers.contract import Outcome, Verdict
from delivery.scheduling import claims
from tests.conftest import TOPIC
from tests.delivery.working import again, due_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(sends):
    """Plan a broadcast, deliver what is due and give the occurrence as it is then."""

    def send(**said):
        occurrence = sends.to_everyone(**said)
        list(fanout.plan_batches(occurrence.pk))
        return again(occurrence)

    return send


def verdicts():
    return dict(Delivery.objects.values_list("token_id", "verdict"))


def conserved(o):
    parts = o.accepted + o.rejected + o.unregistered + o.expired + o.cancelled
    parts += o.capped + o.uncertain
    return o.targeted == parts + o.pending


def test_every_device_ends_with_one_row_in_the_ledger(phones, memory, sent):
    tokens = phones.many(3) + phones.many(2, transport="fcm")
    memory()

    occurrence = sent()

    assert verdicts() == {t.pk: "accepted" for t in tokens}
    assert occurrence.accepted == occurrence.targeted == 5
    assert occurrence.pending == 0
    assert occurrence.state == Occurrence.State.FINISHED


def test_the_ledger_keeps_the_install_the_reason_and_the_providers_reference(phones, memory, sent):
    token = phones.ring("one")
    memory({token.value: "rejected"})

    sent()

    row = Delivery.objects.get()
    assert (row.install_id, row.verdict, row.reason) == (token.install_id, "rejected", "scripted")


def test_what_is_throttled_waits_and_is_asked_again(phones, memory, sent):
    slow, quick = phones.ring("slow"), phones.ring("quick")
    provider = memory({slow.value: "throttled:120 accepted"})

    occurrence = sent()

    assert verdicts() == {quick.pk: "accepted"}
    assert occurrence.pending == 1
    assert conserved(occurrence)
    wait = Batch.objects.get().next_attempt_at - timezone.now()
    assert timedelta(seconds=110) < wait < timedelta(seconds=125)  # the provider's wish floors ours

    due_now()
    again(occurrence)

    assert verdicts() == {quick.pk: "accepted", slow.pk: "accepted"}
    assert occurrence.state == Occurrence.State.FINISHED
    assert [address for _, address in provider.sent].count(quick.value) == 1


def test_a_retry_carries_the_same_push_id(phones, memory, sent):
    token = phones.ring("one")
    provider = memory({token.value: "unavailable accepted"})
    occurrence = sent()
    due_now()
    again(occurrence)

    assert len(provider.sent) == 2
    assert len({push_id for push_id, _ in provider.sent}) == 1


def test_a_dead_token_is_retired_unless_it_came_back_later(phones, memory, sent):
    token = phones.ring("one")
    memory({token.value: "unregistered"})

    occurrence = sent()

    token.refresh_from_db()
    assert (token.state, token.state_reason) == (DeviceToken.State.DEAD, "scripted")
    assert occurrence.unregistered == 1

    address = Address(
        transport=token.transport,
        environment=token.environment,
        topic=token.topic,
        value=token.value,
    )
    register_token(token.install, address=address, details={})
    token.refresh_from_db()
    assert token.state == DeviceToken.State.ALIVE


@pytest.mark.parametrize("state", ["dead", "quarantined"])
def test_a_token_retired_since_planning_is_not_pushed_to(phones, memory, sends, state):
    token = phones.ring("one")
    provider = memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    DeviceToken.objects.update(state=state)

    again(occurrence)

    assert not provider.sent
    assert verdicts() == {token.pk: "unregistered"}
    assert occurrence.state == Occurrence.State.FINISHED


def test_a_token_deleted_since_planning_still_gets_its_outcome(phones, memory, sends):
    phones.ring("one")
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    DeviceToken.objects.all().delete()

    again(occurrence)

    assert (occurrence.unregistered, occurrence.pending) == (1, 0)


def test_a_push_that_would_come_too_late_expires(phones, memory, sent):
    token = phones.ring("one")
    memory({token.value: "unavailable:7200"})

    occurrence = sent(time_to_live=timedelta(hours=1))

    assert verdicts() == {token.pk: "expired"}
    assert Delivery.objects.get().reason == "scripted"
    assert (occurrence.expired, occurrence.state) == (1, Occurrence.State.FINISHED)


def test_an_uncertain_push_is_never_sent_twice(phones, memory, sent):
    token = phones.ring("one")
    provider = memory({token.value: "uncertain"})

    occurrence = sent()
    due_now()
    again(occurrence)

    assert verdicts() == {token.pk: "uncertain"}
    assert len(provider.sent) == 1


def test_a_refused_credential_rests_and_everything_waits(phones, memory, sent):
    phones.many(2)
    memory({"*": "misconfigured accepted"})

    occurrence = sent()

    breaker = Breaker.objects.get()
    assert (breaker.state, breaker.reason) == ("open", "scripted")
    assert breaker.next_probe_at > timezone.now()
    assert (occurrence.pending, DeviceToken.objects.filter(state="dead").count()) == (2, 0)


def test_without_a_credential_pushes_wait_until_there_is_one(phones, sends, memory):
    phones.ring("one")
    provider = memory()
    kept = list(ProviderCredential.objects.values())
    ProviderCredential.objects.all().delete()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    again(occurrence)
    assert occurrence.pending == 1
    assert "no apns credential" in Batch.objects.get().last_reason

    ProviderCredential.objects.create(**kept[0])
    due_now()
    again(occurrence)
    assert len(provider.sent) == 1
    assert occurrence.accepted == 1


def test_a_worker_that_vanished_is_followed_and_what_it_left_is_counted(phones, memory, sends):
    first, second = phones.many(2)
    provider = memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    claims.take_batch("bulk", now=timezone.now())  # and never heard of again
    Delivery.objects.create(
        day=occurrence.ledger_day,
        occurrence_id=occurrence.pk,
        token_id=first.pk,
        verdict="accepted",
        at=timezone.now(),
    )
    Occurrence.objects.update(accepted=1)
    assert claims.free_lost_batches(now=timezone.now()) == 0  # its lease still holds

    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claims.free_lost_batches(now=timezone.now()) == 1
    again(occurrence)

    assert [address for _, address in provider.sent] == [second.value]
    assert (occurrence.accepted, occurrence.replayed) == (2, 1)
    assert occurrence.state == Occurrence.State.FINISHED


def test_a_worker_whose_lease_was_lost_cannot_move_the_batch(phones, memory, sends):
    phones.ring("one")
    memory()
    list(fanout.plan_batches(sends.to_everyone().pk))
    slow = claims.take_batch("bulk", now=timezone.now())
    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.free_lost_batches(now=timezone.now())
    claims.take_batch("bulk", now=timezone.now())

    assert not claims.close_batch(slow)
    assert not dispatch.divide_batch(slow, [dispatch.Part(slow.token_ids, reason="late")])
    assert not claims.keep_batch(slow)
    assert Batch.objects.get().state == Batch.State.SENDING


def test_recording_the_same_outcomes_again_changes_nothing(phones, memory, sends):
    phones.many(3)
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    again(occurrence)
    Batch.objects.update(state="waiting")
    Delivery.objects.filter(token_id=DeviceToken.objects.first().pk)

    again(occurrence)

    assert occurrence.accepted == 3
    assert conserved(occurrence)


def test_the_urgent_lane_is_another_queue(phones, memory, sends):
    phones.ring("one")
    memory()
    list(fanout.plan_batches(sends.to_everyone(lane="urgent").pk))

    assert not dispatch.deliver_next("bulk")
    assert dispatch.deliver_next("urgent")


def test_a_fault_of_one_leg_alone_does_not_stop_the_credential(phones, memory, sent, monkeypatch):
    phones.ring("one", transport="fcm")
    provider = memory({"*": "misconfigured"})
    answer = provider._answer
    monkeypatch.setattr(provider, "_answer", lambda *asked: answer(*asked)._replace(wide=False))

    occurrence = sent()

    assert occurrence.pending == 1
    assert not Breaker.objects.exists()


# -- what must not happen, and does


@pytest.fixture
def broken(memory, monkeypatch):
    """Give a provider that answers the first `answered` targets and then does as it is told."""

    def provider(then, *, answered=0):
        living = memory()

        async def deliver(push, targets):
            yield [living._answer(push, target) for target in targets[:answered]]
            await then()

        monkeypatch.setattr(living, "deliver", deliver)
        return living

    return provider


async def fail():
    raise RuntimeError("a token of somebody's")


async def forget():
    """End as if every target had been answered."""


@pytest.mark.parametrize("then", [fail, forget])
def test_a_provider_that_breaks_its_promise_leaves_uncertain_pushes(phones, broken, sent, then):
    first, *others = phones.many(3)
    broken(then, answered=1)

    occurrence = sent()

    assert verdicts() == {first.pk: "accepted"} | {t.pk: "uncertain" for t in others}
    assert (occurrence.pending, occurrence.state) == (0, Occurrence.State.FINISHED)
    assert "somebody" not in Delivery.objects.get(token_id=others[0].pk).reason


def test_a_message_that_cannot_be_read_waits_for_a_worker_that_can(phones, memory, sends):
    phones.ring("one")
    provider = memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    kept = occurrence.notification.message
    Notification.objects.update(message={**kept, "of_a_later_version": 1})

    again(occurrence)
    batch = Batch.objects.get()
    assert (batch.state, batch.last_reason) == ("waiting", "fault of the gateway: TypeError")
    assert batch.next_attempt_at > timezone.now() + timedelta(seconds=5)

    Notification.objects.update(message=kept)
    due_now()
    again(occurrence)
    assert (occurrence.accepted, occurrence.replayed, len(provider.sent)) == (1, 0, 1)


def test_a_secret_that_cannot_be_opened_sends_nothing_and_loses_nothing(phones, memory, sent):
    phones.ring("one")
    provider = memory()
    ProviderCredential.objects.update(sealed=b"sealed with a key long gone")

    occurrence = sent()

    assert (occurrence.pending, occurrence.settled, len(provider.sent)) == (1, 0, 0)
    assert "InvalidToken" in Batch.objects.get().last_reason


def test_a_batch_that_kills_every_worker_ends(phones, memory, sends):
    phones.many(2)
    provider = memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    for _ in range(dispatch.MOST_LOST):
        claims.take_batch("bulk", now=timezone.now())
        Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        claims.free_lost_batches(now=timezone.now())

    again(occurrence)

    assert not provider.sent
    assert (occurrence.uncertain, occurrence.pending) == (2, 0)
    assert occurrence.replayed == 2 * dispatch.MOST_LOST
    assert occurrence.state == Occurrence.State.FINISHED


def test_a_database_that_fails_in_mid_batch_leaves_it_to_the_next_worker(
    phones, memory, sends, monkeypatch
):
    phones.many(3)
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    with monkeypatch.context() as broken_database:
        broken_database.setattr(outcomes, "record_outcomes", _down)
        broken_database.setattr(answers, "PATIENCE", 0.0)
        with pytest.raises(OperationalError):
            dispatch.deliver_next("bulk")
    assert Batch.objects.get().state == Batch.State.SENDING

    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.free_lost_batches(now=timezone.now())
    again(occurrence)
    assert (occurrence.accepted, occurrence.replayed, occurrence.pending) == (3, 3, 0)


def test_a_batch_stays_ours_while_its_provider_is_silent(
    phones, broken, sends, settings, monkeypatch
):
    phones.ring("one")
    settings.BATCH_LEASE = timedelta(seconds=1.6)
    settings.BATCH_DEADLINE = timedelta(seconds=3)
    ends, keep = [], claims.keep_batch

    def kept(batch):
        ends.append(Batch.objects.get().lease_until - timezone.now())
        return keep(batch)

    async def linger():
        await asyncio.sleep(30)

    monkeypatch.setattr(claims, "keep_batch", kept)
    broken(linger)
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    again(occurrence)

    assert len(ends) >= 2  # and each time in time
    assert all(left > timedelta(0) for left in ends)
    assert (occurrence.uncertain, occurrence.pending) == (1, 0)


def test_a_credential_deleted_while_pushes_are_under_way_costs_no_outcome(
    phones, sent, memory, monkeypatch
):
    phones.ring("one")
    provider = memory({"*": "unregistered"})
    answer = provider._answer

    def doubtful(*asked):
        return answer(*asked)._replace(proven=False)

    monkeypatch.setattr(provider, "_answer", doubtful)
    monkeypatch.setattr(
        dispatch, "push_of", _after(ProviderCredential.objects.all().delete, dispatch.push_of)
    )

    occurrence = sent()

    assert (occurrence.unregistered, occurrence.pending) == (1, 0)


def _after(first, then):
    def both(*args):
        first()
        return then(*args)

    return both


def test_waiting_for_a_credential_does_not_lengthen_the_backoff(phones, memory, sends):
    phones.ring("one")
    memory({"*": "unavailable"})
    list(fanout.plan_batches(sends.to_everyone().pk))
    later = timezone.now() + timedelta(minutes=1)
    Breaker.objects.create(
        credential=ProviderCredential.objects.get(provider="apns"),
        environment="production",
        topic=TOPIC,
        state="open",
        next_probe_at=later,
    )
    for _ in range(10):
        Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
        assert dispatch.deliver_next("bulk")

    due_now()
    dispatch.deliver_next("bulk")

    batch = Batch.objects.get()
    assert (batch.attempts, batch.tries) == (11, 1)
    assert batch.next_attempt_at - timezone.now() < timedelta(seconds=13)


def test_an_app_deleted_while_its_pushes_are_under_way_ends_its_batches(
    app, phones, memory, sends, monkeypatch
):
    phones.ring("one")
    memory()
    list(fanout.plan_batches(sends.to_everyone().pk))
    monkeypatch.setattr(dispatch, "push_of", _after(app.delete, dispatch.push_of))

    assert dispatch.deliver_next("bulk")

    assert not Batch.objects.exists()
    assert not dispatch.deliver_next("bulk")


def test_a_fault_is_logged_without_the_address_it_is_about(phones, broken, sent, caplog):
    phones.ring("one")
    broken(fail)
    with caplog.at_level(logging.ERROR, logger="delivery.dispatch"):
        sent()

    assert [r.levelname for r in caplog.records] == ["ERROR"]
    assert "apns-one" not in caplog.text


def test_outcomes_of_a_failed_record_are_kept_for_the_next(phones, memory, sends, monkeypatch):
    token = phones.ring("one")
    memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    batch = claims.take_batch("bulk", now=timezone.now())
    batch.credential = ProviderCredential.objects.get(provider="apns")
    found = answers.Answers(batch, answers.Asked())
    found.take([Outcome(token.pk, Verdict.ACCEPTED)])
    with monkeypatch.context() as broken_database:
        broken_database.setattr(outcomes, "record_endings", _down)
        broken_database.setattr(answers, "PATIENCE", 0.0)
        with pytest.raises(OperationalError):
            found.settle()

    found.settle()
    assert verdicts() == {token.pk: "accepted"}


def _down(*args, **options):
    raise OperationalError("gone")


def test_each_waits_as_long_as_it_was_asked_to_and_no_longer(phones, memory, sent):
    slow, busy, unwell, quick = (phones.ring(n) for n in ("slow", "busy", "unwell", "quick"))
    memory(
        {
            slow.value: "throttled:7200 accepted",
            busy.value: "throttled:30 accepted",
            unwell.value: "unavailable accepted",
        }
    )

    occurrence = sent(time_to_live=timedelta(hours=1))

    # two hours is more than it lives
    assert verdicts() == {quick.pk: "accepted", slow.pk: "expired"}
    waits = {
        next(i for i in b.token_ids if i not in verdicts()): b.next_attempt_at - timezone.now()
        for b in Batch.objects.filter(state="waiting")
    }
    assert timedelta(seconds=25) < waits[busy.pk] < timedelta(seconds=31)
    assert timedelta(seconds=6) < waits[unwell.pk] < timedelta(seconds=13)
    assert conserved(occurrence)

    due_now()
    again(occurrence)
    assert (occurrence.accepted, occurrence.expired, occurrence.pending) == (3, 1, 0)
    assert Delivery.objects.count() == 4


def test_a_death_that_is_no_proof_puts_the_token_into_quarantine(phones, memory, sent):
    token, other = phones.ring("one"), phones.ring("two")
    provider = memory({token.value: "unregistered"})
    answer = provider._answer
    provider._answer = lambda *asked: answer(*asked)._replace(proven=False)

    sent()

    token.refresh_from_db()
    assert (token.state, token.state_reason) == (DeviceToken.State.QUARANTINED, "scripted")
    assert verdicts() == {token.pk: "unregistered", other.pk: "accepted"}
