from datetime import timedelta

import pytest
from django.utils import timezone

from crm.commands.device_tokens import Address, register_token
from crm.models import DeviceToken
from delivery import dispatch, fanout
from delivery.models import Batch, Delivery, Occurrence, ProviderCredential
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(sends):
    """Plan a broadcast, deliver what is due and give the occurrence as it is then."""

    def send(**said):
        occurrence = sends.to_everyone(**said)
        list(fanout.plan_batches(occurrence.pk))
        return again(occurrence)

    return send


def again(occurrence):
    while dispatch.deliver_next("bulk"):
        pass
    occurrence.refresh_from_db()
    return occurrence


def due_now():
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    ProviderCredential.objects.update(suspended_until=None)


def verdicts():
    return dict(Delivery.objects.values_list("token_id", "verdict"))


def conserved(o):
    parts = o.accepted + o.rejected + o.unregistered + o.expired + o.cancelled + o.uncertain
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


def test_a_token_retired_since_planning_is_not_pushed_to(phones, memory, sends):
    token = phones.ring("one")
    provider = memory()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    DeviceToken.objects.update(state="dead")

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

    credential = ProviderCredential.objects.get(provider="apns")
    assert credential.suspended_until > timezone.now()
    assert credential.suspended_reason == "scripted"
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
    assert not claims.release_batch(slow, wait=timedelta(0), reason="late")
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
    assert ProviderCredential.objects.get(provider="fcm").suspended_until is None
