"""Tokens whose environment is a guess are tried in the other one before they are called dead."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from crm.commands.device_tokens import Address, register_token
from crm.models import DeviceToken
from delivery import answers, dispatch, fanout
from delivery.models import Batch, Breaker, Delivery, Occurrence, ProviderCredential
from delivery.providers import registry
from delivery.providers.contract import Outcome, Verdict
from delivery.providers.memory import Memory
from delivery.scheduling import claims
from tests.conftest import TOPIC
from tests.delivery.working import again

pytestmark = pytest.mark.django_db

State = DeviceToken.State


class Worlds(Memory):
    """Takes an address in the environment its name ends in, and calls it bad in the other one."""

    def __init__(self):
        super().__init__()
        self.asked = []

    async def deliver(self, push, targets):
        self.asked += [(push.environment.value, t.address) for t in targets]
        async for chunk in super().deliver(push, targets):
            yield [self._judge(push, *pair) for pair in zip(targets, chunk, strict=True)]

    def _judge(self, push, target, outcome):
        if target.address.endswith(push.environment.value):
            return outcome
        return Outcome(
            target.token_id,
            Verdict.UNREGISTERED,
            reason="BadDeviceToken",
            proven=False,
            elsewhere=True,
        )


@pytest.fixture
def apple(credentials, monkeypatch):
    worlds = Worlds()
    monkeypatch.setitem(registry.BUILDERS, "apns", lambda _: worlds)
    yield worlds
    registry.registry.close()


@pytest.fixture
def ring(phones):
    def one(uid, *, is_of, known=False, environment="production"):
        address = Address(
            transport="apns",
            environment=environment,
            topic=TOPIC,
            value=f"{uid}-{is_of}",
            environment_known=known,
        )
        return register_token(phones.install(uid), address=address, details={})

    return one


def sent(sends):
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    return again(occurrence)


def about(token):
    token.refresh_from_db()
    return token.state, token.environment, token.environment_known


def test_a_token_of_the_other_environment_is_found_there_and_remembered(apple, ring, sends):
    token = ring("one", is_of="sandbox")

    occurrence = sent(sends)

    assert about(token) == (State.ALIVE, "sandbox", True)
    assert (occurrence.accepted, occurrence.pending) == (1, 0)
    assert occurrence.state == Occurrence.State.FINISHED
    assert Delivery.objects.get().verdict == "accepted"

    apple.asked.clear()
    assert sent(sends).accepted == 1
    assert apple.asked == [("sandbox", token.value)]


def test_among_others_only_the_stray_ones_are_tried_elsewhere(apple, ring, sends):
    here = [ring(f"p{n}", is_of="production") for n in range(3)]
    there = [ring(f"s{n}", is_of="sandbox") for n in range(2)]

    occurrence = sent(sends)

    assert (occurrence.accepted, occurrence.targeted, occurrence.pending) == (5, 5, 0)
    assert Delivery.objects.count() == 5
    assert {about(t)[2] for t in there} == {True}
    asked = [("sandbox", t.value) for t in there]
    assert [pair for pair in apple.asked if pair[0] == "sandbox"] == asked
    assert {about(t)[1] for t in here} == {"production"}


def test_a_token_bad_in_both_is_put_into_quarantine_and_counted_once(apple, ring, sends):
    token = ring("one", is_of="neither")

    occurrence = sent(sends)

    assert about(token) == (State.QUARANTINED, "production", False)
    assert (occurrence.unregistered, occurrence.pending) == (1, 0)
    assert list(Delivery.objects.values_list("verdict", "reason")) == [
        ("unregistered", "BadDeviceToken")
    ]
    assert [environment for environment, _ in apple.asked] == ["production", "sandbox"]


def test_a_token_whose_device_said_where_it_is_of_is_not_tried_elsewhere(apple, ring, sends):
    token = ring("one", is_of="sandbox", known=True)

    assert sent(sends).unregistered == 1
    assert about(token)[0] == State.QUARANTINED
    assert [environment for environment, _ in apple.asked] == ["production"]


def test_without_a_credential_for_the_other_environment_nothing_is_tried_there(apple, ring, sends):
    ProviderCredential.objects.filter(provider="apns").update(environment="production")
    token = ring("one", is_of="sandbox")

    assert sent(sends).unregistered == 1
    assert about(token) == (State.QUARANTINED, "production", False)


def test_a_whole_app_of_the_other_environment_is_no_fault_of_the_credential(apple, ring, sends):
    for n in range(25):
        ring(f"n{n}", is_of="sandbox")

    assert sent(sends).accepted == 25
    assert set(Breaker.objects.values_list("state", flat=True)) == {"closed"}


def test_a_whole_app_bad_in_both_loses_no_token(apple, ring, sends):
    for n in range(25):
        ring(f"n{n}", is_of="neither")

    occurrence = sent(sends)

    assert (occurrence.pending, Delivery.objects.count()) == (25, 0)
    assert set(DeviceToken.objects.values_list("state", flat=True)) == {"alive"}
    assert Breaker.objects.get(environment="sandbox").state == "open"


def test_another_send_planned_before_it_was_found_out_goes_where_it_belongs(apple, ring, sends):
    token = ring("one", is_of="sandbox")
    earlier = sends.to_everyone()
    list(fanout.plan_batches(earlier.pk))
    Batch.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    sent(sends)
    apple.asked.clear()

    Batch.objects.update(next_attempt_at=timezone.now())
    again(earlier)

    assert (earlier.accepted, earlier.pending) == (1, 0)
    assert apple.asked == [("sandbox", token.value)]
    assert about(token) == (State.ALIVE, "sandbox", True)


@pytest.mark.parametrize(
    ("state", "kept"),
    [(State.ALIVE, State.DEAD), (State.DEAD, State.ALIVE)],
)
def test_where_another_row_stands_for_the_address_one_of_them_lives(
    apple, ring, sends, state, kept
):
    token = ring("one", is_of="sandbox")
    twin = DeviceToken.objects.create(
        app=token.app,
        install=ring("two", is_of="production").install,
        transport="apns",
        environment="sandbox",
        topic=TOPIC,
        value=token.value,
        state=state,
        enabled=False,
    )

    assert sent(sends).accepted == 2

    assert about(token)[0] == kept
    twin.refresh_from_db()
    living = DeviceToken.objects.filter(value=token.value, environment="sandbox", state="alive")
    assert living.count() == 1


def test_a_device_that_registers_again_without_saying_keeps_what_was_found_out(apple, ring, sends):
    token = ring("one", is_of="sandbox")
    sent(sends)

    again = ring("one", is_of="sandbox")

    assert again.pk == token.pk
    assert about(token) == (State.ALIVE, "sandbox", True)


def test_a_device_that_registers_again_is_out_of_quarantine(apple, ring, sends):
    token = ring("one", is_of="neither")
    sent(sends)

    ring("one", is_of="neither")

    assert about(token) == (State.ALIVE, "production", False)


@pytest.mark.parametrize("where", ["divide_batch", "record", "learn"])
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    apple, ring, sends, monkeypatch, where
):
    tokens = [ring(f"p{n}", is_of="production") for n in range(2)]
    tokens += [ring(f"s{n}", is_of="sandbox") for n in range(2)]
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    def crash(*args, **options):
        raise OperationalError("gone")

    target, name = {
        "divide_batch": (dispatch, "divide_batch"),
        "record": (answers.outcomes, "record_endings"),
        "learn": (answers, "learn_environment"),
    }[where]
    with monkeypatch.context() as crashing:
        crashing.setattr(target, name, crash)
        with pytest.raises(OperationalError):
            again(occurrence)
    Batch.objects.filter(state="sending").update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.free_lost_batches(now=timezone.now())

    again(occurrence)

    assert (occurrence.accepted, occurrence.pending) == (4, 0)
    assert Delivery.objects.count() == 4
    planned = [i for b in Batch.objects.all() for i in b.token_ids]
    assert sorted(planned) == [t.pk for t in tokens]


def test_tokens_bad_in_both_end_in_quarantine_once_the_first_environment_works(apple, ring, sends):
    for n in range(25):
        ring(f"n{n}", is_of="neither")
    held = sent(sends)
    ring("good", is_of="production")
    DeviceToken.objects.exclude(value="good-production").update(enabled=False)
    sent(sends)

    Breaker.objects.exclude(state="closed").update(next_probe_at=timezone.now())
    Batch.objects.update(next_attempt_at=timezone.now())
    again(held)

    assert set(Breaker.objects.values_list("state", flat=True)) == {"closed"}
    assert (held.unregistered, held.pending) == (25, 0)
    assert DeviceToken.objects.filter(state="quarantined").count() == 25
