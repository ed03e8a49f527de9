"""Which words of a provider are believed."""

from itertools import count

import pytest

from crm.models import DeviceToken
from delivery import dispatch, fanout
from delivery.breaker import Leave, restore_doubted
from delivery.doubt import MANY, Evidence, conclude, note_health
from delivery.models import Batch, Breaker
from delivery.providers.contract import Outcome, Verdict

pytestmark = pytest.mark.django_db

NUMBERS = count(1000)


@pytest.fixture
def batch(phones, sends, credentials):
    phones.ring("one")
    list(fanout.plan_batches(sends.to_everyone().pk))
    return Batch.objects.get()


def deaths(number, **said):
    said = {"reason": "BadDeviceToken", "proven": False, **said}
    return [Outcome(next(NUMBERS), Verdict.UNREGISTERED, **said) for _ in range(number)]


def judged(batch, doubtful, *, works=0, elsewhere=()):
    evidence = Evidence(works=works, doubtful=doubtful, elsewhere=frozenset(elsewhere))
    finding = conclude(batch, Leave(Breaker.objects.first()), evidence)
    return {outcome.verdict for outcome in finding.outcomes}


def test_a_few_deaths_among_accepted_pushes_are_believed(batch):
    assert judged(batch, deaths(5), works=95) == {Verdict.UNREGISTERED}


def test_a_single_death_is_believed(batch):
    assert judged(batch, deaths(1)) == {Verdict.UNREGISTERED}


def test_a_whole_app_called_dead_points_at_the_credential(batch):
    assert judged(batch, deaths(1000)) == {Verdict.MISCONFIGURED}
    assert Breaker.objects.get().state == "open"


def test_deaths_one_by_one_add_up_until_a_push_is_accepted(batch):
    for _ in range(MANY - 1):
        assert judged(batch, deaths(1)) == {Verdict.UNREGISTERED}
    note_health(batch, Leave(Breaker.objects.get()), Evidence(works=1))

    for _ in range(MANY - 1):
        assert judged(batch, deaths(1)) == {Verdict.UNREGISTERED}
    assert judged(batch, deaths(1)) == {Verdict.MISCONFIGURED}


def test_one_token_called_dead_again_and_again_counts_once(batch):
    [one] = deaths(1)
    for _ in range(MANY + 1):
        assert judged(batch, [one]) == {Verdict.UNREGISTERED}


def test_more_deaths_than_acceptances_fail_the_pushes_and_keep_the_tokens(batch):
    assert judged(batch, deaths(60), works=40) == {Verdict.REJECTED}
    assert Breaker.objects.get().state == "closed"


def test_a_topic_refused_for_every_push_points_at_us(batch):
    refused = [
        Outcome(next(NUMBERS), Verdict.REJECTED, reason="BadTopic", proven=False)
        for _ in range(MANY)
    ]
    assert judged(batch, refused[:3]) == {Verdict.REJECTED}
    assert judged(batch, refused[3:]) == {Verdict.MISCONFIGURED}
    assert Breaker.objects.get().reason == "BadTopic"


def test_what_comes_in_after_the_breaker_opened_is_not_believed(batch):
    begun = Leave(None)
    judged(batch, deaths(MANY))

    finding = conclude(batch, begun, Evidence(works=500, doubtful=deaths(2)))

    assert {o.verdict for o in finding.outcomes} == {Verdict.MISCONFIGURED}
    assert finding.held_by == Breaker.objects.get()
    assert Breaker.objects.get().state == "open"  # those 500 may be of before


def test_tokens_bad_in_both_environments_say_nothing_of_one_while_the_other_works(
    batch, credentials
):
    doubtful = deaths(2 * MANY)
    tried = [outcome.token_id for outcome in doubtful]
    batch.environment = "sandbox"
    Breaker.objects.create(
        credential=credentials["apns"], environment="production", topic=batch.topic
    )
    sandbox = Breaker.objects.filter(environment="sandbox")

    assert judged(batch, doubtful, elsewhere=tried) == {Verdict.MISCONFIGURED}

    sandbox.update(state="closed", doubted=[])
    Breaker.objects.filter(environment="production").update(worked_at="2026-01-01T00:00Z")
    assert judged(batch, doubtful, elsewhere=tried) == {Verdict.UNREGISTERED}
    assert sandbox.get().state == "closed"


def test_tokens_believed_dead_before_the_breaker_opened_come_back(app, phones, sends, memory):
    """Nine sends to one phone each, and the tenth says that all of them were a mistake."""
    tokens = phones.many(MANY)
    provider = memory({"*": "unregistered"})
    answer = provider._answer
    provider._answer = lambda *asked: answer(*asked)._replace(proven=False)
    for token in tokens:
        DeviceToken.objects.exclude(pk=token.pk).update(enabled=False)
        DeviceToken.objects.filter(pk=token.pk).update(enabled=True)
        list(fanout.plan_batches(sends.to_everyone().pk))
        dispatch.deliver_next("bulk")
        if token != tokens[-1]:
            token.refresh_from_db()
            assert token.state == DeviceToken.State.QUARANTINED

    assert Breaker.objects.get().state == "open"
    assert set(DeviceToken.objects.values_list("state", flat=True)) == {"alive"}


def test_a_token_somebody_proved_dead_meanwhile_stays_dead(app, phones, batch):
    token = phones.ring("two")
    DeviceToken.objects.filter(pk=token.pk).update(state="dead")
    Breaker.objects.create(
        credential=batch.credential,
        environment="production",
        topic=batch.topic,
        state="open",
        doubted=[token.pk],
    )
    restore_doubted(Breaker.objects.get())

    token.refresh_from_db()
    assert token.state == DeviceToken.State.DEAD
    assert Breaker.objects.get().doubted == []
