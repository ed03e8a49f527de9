"""A breaker from its opening to its closing, by what is sent and what waits."""

import json
import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from crm.models import DeviceToken
from delivery import dispatch, fanout
from delivery.breaker import LONGEST_REST, REST, SAMPLE, Leave, Rest, admit, close_breakers
from delivery.commands.credentials import StoreCredential, store_credential
from delivery.doubt import Evidence, note_health
from delivery.models import Batch, Breaker, Delivery, Occurrence, ProviderCredential
from delivery.providers.registry import registry
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db


@pytest.fixture
def planned(phones, sends, settings):
    """Plan a broadcast to so many phones, in batches of so many, and give its occurrence."""

    def plan(count, *, size=1000, transport="apns", **said):
        settings.BATCH_SIZE = size
        phones.many(count, transport=transport)
        occurrence = sends.to_everyone(**said)
        list(fanout.plan_batches(occurrence.pk))
        return occurrence

    return plan


def work():
    while dispatch.deliver_next("bulk"):
        pass


def due_now():
    Breaker.objects.exclude(state="closed").update(next_probe_at=timezone.now())
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def rest():
    return Breaker.objects.get().next_probe_at - timezone.now()


def test_a_refusal_of_the_credential_holds_everything_up(planned, memory):
    occurrence = planned(30, size=10)
    provider = memory({"*": "misconfigured"})

    work()

    found = Breaker.objects.get()
    assert (found.state, found.reason) == ("open", "scripted")
    assert len(provider.sent) == 10  # one batch found out, the others were spared
    assert set(Batch.objects.values_list("state", "breaker")) == {("waiting", found.pk)}
    occurrence.refresh_from_db()
    assert (occurrence.pending, occurrence.settled) == (30, 0)


def test_one_probe_of_a_few_pushes_goes_out_and_all_else_waits(planned, memory):
    planned(60, size=20)
    provider = memory({"*": "misconfigured"})
    work()
    provider.sent.clear()
    due_now()

    work()

    assert len(provider.sent) == SAMPLE
    assert Breaker.objects.get().state == "open"


def test_of_several_workers_one_gets_the_probe(planned, memory):
    planned(20, size=10)
    memory({"*": "misconfigured"})
    work()
    due_now()
    batches = [claims.take_batch("bulk", now=timezone.now()) for _ in range(2)]

    first, second = (admit(batch, now=timezone.now()) for batch in batches)

    assert isinstance(first, Leave)
    assert first.probe
    assert isinstance(second, Rest)
    assert Breaker.objects.get().state == "probing"


def test_a_probe_whose_worker_vanished_is_made_by_another(planned, memory):
    planned(20, size=10)
    memory({"*": "misconfigured"})
    work()
    due_now()
    lost, next_ = (claims.take_batch("bulk", now=timezone.now()) for _ in range(2))
    admit(lost, now=timezone.now())
    later = Breaker.objects.get().next_probe_at

    assert isinstance(admit(next_, now=later - timedelta(seconds=1)), Rest)
    assert admit(next_, now=later).probe


def test_an_accepted_probe_lets_everything_flow_at_once(planned, memory):
    occurrence = planned(45, size=20)
    memory({"*": "misconfigured"})
    work()
    memory()
    due_now()
    first = Batch.objects.order_by("id").first()
    Batch.objects.exclude(pk=first.pk).update(next_attempt_at=timezone.now() + REST)
    registry.close()

    work()

    occurrence.refresh_from_db()
    assert Breaker.objects.get().state == "closed"
    assert (occurrence.accepted, occurrence.state) == (45, Occurrence.State.FINISHED)


def test_a_token_surely_dead_proves_the_credential_as_well(planned, memory):
    planned(2)
    memory({"*": "misconfigured unregistered"})
    work()
    due_now()

    work()

    assert Breaker.objects.get().state == "closed"


def test_each_probe_that_fails_doubles_the_rest_up_to_half_an_hour(planned, memory):
    planned(3, time_to_live=timedelta(days=2))
    memory({"*": "misconfigured"})
    work()

    rests = [rest()]
    for _ in range(7):
        due_now()
        work()
        rests.append(rest())

    seconds = [round(waited.total_seconds() / 10) * 10 for waited in rests]
    assert seconds == [60, 120, 240, 480, 960, 1800, 1800, 1800]
    assert timedelta(seconds=1800) == LONGEST_REST


def test_what_could_not_be_sent_lets_others_go_first_at_the_next_probe(planned, memory):
    planned(30, size=10)
    memory({"*": "misconfigured"})
    work()
    probe_at = Breaker.objects.get().next_probe_at

    tried, *others = Batch.objects.order_by("id")

    assert tried.next_attempt_at > probe_at
    assert {batch.next_attempt_at for batch in others} == {probe_at}


def test_the_operator_is_told_once_for_each_opening(planned, memory, caplog):
    planned(40, size=10)
    memory({"*": "misconfigured"})
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            work()
            due_now()

    assert [r.levelname for r in caplog.records] == ["ERROR"]
    assert "scripted" in caplog.text


def test_no_token_dies_while_the_breaker_is_not_closed(planned, memory):
    planned(30, size=10)
    provider = memory({"*": "unregistered"})
    answer = provider._answer
    provider._answer = lambda *asked: answer(*asked)._replace(proven=False)
    for _ in range(4):
        work()
        due_now()

    assert set(DeviceToken.objects.values_list("state", flat=True)) == {"alive"}
    assert not Delivery.objects.exists()


def test_what_expires_behind_a_breaker_expires_then_and_not_before(planned, memory):
    occurrence = planned(2, time_to_live=timedelta(seconds=20))
    memory({"*": "misconfigured"})

    work()

    assert Batch.objects.get().next_attempt_at == occurrence.expires_at
    Occurrence.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    due_now()
    work()
    assert set(Delivery.objects.values_list("verdict", "reason")) == {("expired", "scripted")}


def test_another_topic_of_the_credential_goes_on(planned, memory, phones, sends):
    planned(2)
    memory({"*": "misconfigured"})
    work()
    DeviceToken.objects.filter(install__uid="apns-0").update(topic="com.example.other")

    memory()
    registry.close()
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    work()

    assert dict(Breaker.objects.values_list("topic", "state")) == {
        "com.example.app": "open",
        "com.example.other": "closed",
    }
    occurrence.refresh_from_db()
    assert (occurrence.accepted, occurrence.pending) == (1, 1)


def test_a_credential_stored_anew_closes_its_breakers_and_wakes_what_waited(
    app, planned, memory, fcm_account
):
    occurrence = planned(3, transport="fcm")
    provider = memory({"*": "misconfigured misconfigured accepted"})
    work()
    assert len(provider.sent) == 3

    store_credential(StoreCredential(app=app, provider="fcm", secret=fcm_account))
    found = Breaker.objects.get()
    assert (found.state, found.worked_at) == ("closed", None)
    memory()
    registry.close()
    work()

    occurrence.refresh_from_db()
    assert occurrence.accepted == 3


def test_a_credential_stored_for_the_first_time_wakes_what_had_none(
    app, planned, memory, fcm_account
):
    occurrence = planned(1, transport="fcm")
    memory()
    ProviderCredential.objects.all().delete()
    work()
    occurrence.refresh_from_db()
    assert occurrence.pending == 1

    store_credential(StoreCredential(app=app, provider="fcm", secret=fcm_account))
    work()

    occurrence.refresh_from_db()
    assert occurrence.accepted == 1


def test_a_refusal_of_the_credential_before_this_one_opens_nothing(planned, memory, monkeypatch):
    planned(2)
    memory({"*": "misconfigured"})
    push_of = dispatch.push_of

    def replaced(batch):
        ProviderCredential.objects.update(version=99)
        return push_of(batch)

    monkeypatch.setattr(dispatch, "push_of", replaced)
    work()

    assert Breaker.objects.get().state == "closed"
    assert Batch.objects.get().next_attempt_at > timezone.now() + timedelta(seconds=5)


def test_whoever_is_put_off_while_the_breaker_closes_is_not_left_behind(planned, memory):
    planned(1)
    memory({"*": "misconfigured"})
    work()
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    batch = claims.take_batch("bulk", now=timezone.now())
    waits = admit(batch, now=timezone.now())
    close_breakers(Breaker.objects.all())  # between the question and the putting off

    dispatch.divide_batch(batch, [dispatch.Part(batch.token_ids, breaker=waits.breaker)])

    assert Batch.objects.get().next_attempt_at <= timezone.now()


def test_a_project_without_access_tokens_rests_as_one_and_not_for_long(planned, memory, caplog):
    planned(30, size=10, transport="fcm")
    provider = memory({"*": "unavailable:20"})
    answer = provider._answer
    provider._answer = lambda *asked: answer(*asked)._replace(outage=True)

    with caplog.at_level(logging.WARNING):
        work()

    assert timedelta(seconds=15) < rest() < timedelta(seconds=21)
    assert len(provider.sent) == 10
    assert len(caplog.records) == 1
    assert set(Batch.objects.values_list("tries", flat=True)) == {0}


def test_a_probe_that_cannot_be_made_is_left_to_the_next(planned, memory):
    planned(2)
    memory({"*": "misconfigured accepted"})
    work()
    DeviceToken.objects.update(state="dead")
    due_now()

    work()

    found = Breaker.objects.get()
    assert (found.state, found.next_probe_at <= timezone.now()) == ("open", True)


def test_an_acceptance_is_written_down_now_and_then(planned, memory, django_assert_num_queries):
    planned(1)
    memory()
    work()
    found = Breaker.objects.get()
    assert found.worked_at is not None

    batch = Batch.objects.get()
    with django_assert_num_queries(0):
        note_health(batch, Leave(found), Evidence(works=1000))
    Breaker.objects.update(worked_at=timezone.now() - timedelta(hours=1))
    note_health(batch, Leave(Breaker.objects.get()), Evidence(works=1000))
    assert timezone.now() - Breaker.objects.get().worked_at < timedelta(minutes=1)


def test_operators_see_an_open_breaker_and_may_close_it(planned, memory, client, django_user_model):
    planned(1)
    memory({"*": "misconfigured"})
    work()
    found = Breaker.objects.get()
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))

    page = client.get("/admin/delivery/breaker/").content.decode()
    assert "scripted" in page
    assert "scripted" in client.get("/admin/delivery/providercredential/").content.decode()
    metrics = client.get("/metrics").content.decode()
    labels = f'app="{found.credential.app_id}",environment="production",provider="apns"'
    assert f'gateway_breaker_open{{{labels},topic="com.example.app"}} 1.0' in metrics

    chosen = {"action": "close", "_selected_action": [found.pk]}
    client.post("/admin/delivery/breaker/", chosen)

    found.refresh_from_db()
    assert found.state == "closed"
    assert Batch.objects.get().next_attempt_at <= timezone.now()
    assert "gateway_breaker_open{" not in client.get("/metrics").content.decode()


@pytest.fixture
def fcm_account():
    said = dict.fromkeys(("project_id", "client_email", "private_key", "token_uri"), "x")
    return json.dumps(said)
