from datetime import timedelta

import pytest
from django.utils import timezone

from crm.commands import token_health
from crm.commands.device_tokens import Address, register_token
from crm.commands.token_health import (
    Death,
    forget_retired_tokens,
    learn_environment,
    retire_tokens,
    revive_tokens,
)
from crm.models import DeviceToken

pytestmark = pytest.mark.django_db

State = DeviceToken.State


def state(token):
    token.refresh_from_db()
    return token.state


def death(token, *, proven=True, **said):
    return Death(token_id=token.pk, reason="said", died_at=said.get("died_at"), proven=proven)


def test_proof_kills_and_a_doubtful_word_puts_into_quarantine(phones):
    sure, unsure = phones.many(2)

    assert len(retire_tokens([death(sure), death(unsure, proven=False)])) == 2

    assert (state(sure), state(unsure)) == (State.DEAD, State.QUARANTINED)
    assert unsure.state_reason == "said"


def test_proof_kills_what_is_in_quarantine_and_no_doubt_brings_the_dead_back(phones):
    one, two = phones.many(2)
    retire_tokens([death(one, proven=False), death(two)])

    assert len(retire_tokens([death(one), death(two, proven=False)])) == 1

    assert (state(one), state(two)) == (State.DEAD, State.DEAD)


def test_only_what_is_in_quarantine_is_let_out_of_it(phones):
    one, two = phones.many(2)
    retire_tokens([death(one, proven=False), death(two)])

    assert revive_tokens([one.pk, two.pk, 2**31 - 1]) == 1

    assert (state(one), state(two)) == (State.ALIVE, State.DEAD)


@pytest.mark.parametrize("proven", [True, False])
def test_a_device_that_registers_again_is_alive(phones, proven):
    token = phones.ring("one")
    retire_tokens([death(token, proven=proven)])

    assert state(phones.ring("one")) == State.ALIVE


def test_tokens_long_dead_or_in_quarantine_are_forgotten_in_bounded_steps(
    phones, settings, monkeypatch
):
    monkeypatch.setattr(token_health, "FORGOTTEN_AT_ONCE", 2)
    settings.TOKEN_RETENTION = timedelta(days=30)
    tokens = phones.many(7)
    old, now = timezone.now() - timedelta(days=31), timezone.now()
    kept = [tokens[0], tokens[1]]
    DeviceToken.objects.filter(pk=kept[0].pk).update(state_changed_at=old)  # alive
    DeviceToken.objects.filter(pk=kept[1].pk).update(state="dead")  # just now
    gone = [t.pk for t in tokens[2:]]
    DeviceToken.objects.filter(pk__in=gone).update(state="dead", state_changed_at=old)
    DeviceToken.objects.filter(pk=gone[0]).update(state="quarantined")

    monkeypatch.setattr(token_health, "FORGOTTEN_IN_ALL", 4)
    assert forget_retired_tokens(now=now) == 4
    assert forget_retired_tokens(now=now) == 1

    assert list(DeviceToken.objects.order_by("pk")) == kept


def test_what_was_found_out_of_a_token_of_known_environment_changes_nothing(phones):
    token = phones.ring("one")

    learn_environment([token.pk], app_id=token.app_id, environment="sandbox")

    token.refresh_from_db()
    assert token.environment == "production"


def test_a_device_that_says_its_environment_is_believed(phones):
    install = phones.install("one")

    def register(**said):
        address = Address(
            **{"transport": "apns", "environment": "production", "topic": "t", "value": "v"} | said
        )
        return register_token(install, address=address, details={})

    guessed = register(environment_known=False)
    said = register(environment="sandbox")
    assert (state(guessed), state(said)) == (State.DEAD, State.ALIVE)

    again = register(environment_known=False)
    assert (again.pk, again.environment, again.environment_known) == (said.pk, "sandbox", True)
    assert register().environment == "production"
