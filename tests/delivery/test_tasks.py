"""The doorbell against the real broker of the run."""

from datetime import timedelta

import pytest
from django.utils import timezone
from redis import Redis

from crm.models import DeviceToken
from delivery import fanout, tasks
from delivery.audience import Audience
from delivery.doorbell import Doorbell
from delivery.models import Batch, CapTaken, Delivery, Occurrence
from gateway.celery import QUEUES

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rested(monkeypatch):
    """Give each test a doorbell that has not failed yet."""
    monkeypatch.setattr(tasks, "doorbell", Doorbell())


@pytest.fixture
def queues(settings):
    with Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
        yield lambda: {queue: broker.llen(queue) for queue in QUEUES}
        broker.flushdb()


def test_a_ring_lands_in_its_queue(queues):
    tasks.ring_for_occurrence(1, lane="urgent")
    assert queues() == {"urgent": 1, "planning": 0, "bulk": 0}

    tasks.ring_for_occurrence(2, lane="bulk")
    assert queues() == {"urgent": 1, "planning": 1, "bulk": 0}


def test_as_many_rings_as_batches_but_never_a_flood(queues):
    tasks.ring_for_batches("bulk", 3)
    assert queues()["bulk"] == 3

    tasks.ring_for_batches("bulk", 1000)
    tasks.ring_for_batches("bulk", 1000)
    assert queues()["bulk"] == tasks.RINGS


def test_a_tick_rings_for_what_was_left_behind(queues, phones, sends, memory):
    memory()
    phones.ring("one")
    sends.to_everyone(lane="urgent")
    list(fanout.plan_batches(sends.to_everyone().pk))

    tasks.tick()

    assert queues() == {"urgent": 1, "planning": 0, "bulk": 1}


@pytest.fixture
def three_batches(phones, sends, memory, settings, monkeypatch):
    """Give the number of batches sent, of three that are due."""
    memory()
    settings.BATCH_SIZE = 1
    monkeypatch.setattr(tasks, "TURN", 60.0)
    phones.many(3)
    list(fanout.plan_batches(sends.to_everyone().pk))
    return Batch.objects.filter(state=Batch.State.DONE).count


def test_a_delivery_goes_on_until_nothing_is_due(queues, three_batches):
    tasks.deliver("bulk")

    assert three_batches() == 3
    assert queues()["bulk"] == 0


def test_a_delivery_rings_for_the_rest_when_its_turn_is_over(queues, three_batches, monkeypatch):
    monkeypatch.setattr(tasks, "TURN", 0.0)

    tasks.deliver("bulk")

    assert three_batches() == 1
    assert queues()["bulk"] == 1


def test_urgent_work_waits_for_one_batch_at_most(queues, three_batches):
    tasks.ring_for_batches("urgent", 1)

    tasks.deliver("bulk")

    assert three_batches() == 1
    assert queues() == {"urgent": 1, "planning": 0, "bulk": 1}


def test_a_retry_wakes_whoever_looks_after_bulk_work(queues):
    tasks.ring_for_batches("retry", 2)

    assert queues() == {"urgent": 0, "planning": 0, "bulk": 2}


def test_planning_that_takes_long_lets_others_have_a_turn(
    queues, phones, sends, settings, monkeypatch
):
    monkeypatch.setattr(tasks, "PLAN_FOR", 0.0)
    settings.PLAN_PAGE = 2
    tokens = phones.many(5)
    occurrence = sends.to_everyone()

    planned = []
    while occurrence.state in {"due", "planning"}:
        assert len(planned) < 4
        tasks.fan_out(occurrence.pk, "bulk")
        occurrence.refresh_from_db()
        planned.append(occurrence.targeted)

    assert planned == [2, 4, 5]
    # at once for the first page, and for the rest of itself; then by turns
    assert queues()["bulk"] == 3 + 2
    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [t.pk for t in tokens]


def test_an_audience_that_was_looked_up_once_is_planned_to_its_end(
    phones, sends, settings, monkeypatch
):
    monkeypatch.setattr(tasks, "PLAN_FOR", 0.0)
    settings.PLAN_PAGE = 2
    uids = tuple(token.install.uid for token in phones.many(5))
    occurrence = sends.to(Audience(install_uids=uids))

    tasks.fan_out(occurrence.pk, "bulk")

    occurrence.refresh_from_db()
    assert (occurrence.state, occurrence.targeted) == ("sending", 5)


def test_planning_rings_for_its_batches(queues, phones, sends):
    phones.ring("one")
    occurrence = sends.to_everyone()

    tasks.fan_out(occurrence.pk, "bulk")

    assert queues()["bulk"] == 1
    occurrence.refresh_from_db()
    assert occurrence.state == Occurrence.State.SENDING


def test_an_urgent_push_is_sent_by_whoever_planned_it(queues, phones, sends, memory):
    memory()
    phones.ring("one")
    occurrence = sends.to_everyone(lane="urgent")

    tasks.fan_out(occurrence.pk, "urgent")

    occurrence.refresh_from_db()
    assert (occurrence.state, occurrence.accepted) == (Occurrence.State.FINISHED, 1)
    assert queues()["urgent"] == 0


def test_a_broker_that_is_away_loses_nothing(phones, sends, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    phones.ring("one")
    occurrence = sends.to_everyone()

    tasks.fan_out(occurrence.pk, "bulk")

    assert Batch.objects.get().state == Batch.State.WAITING


def test_upkeep_forgets_tokens_long_dead_and_the_ledger_keeps_what_became_of_them(
    phones, memory, sends, settings
):
    token = phones.ring("one")
    memory({token.value: "unregistered"})
    list(fanout.plan_batches(sends.to_everyone().pk))
    tasks.deliver("bulk")
    DeviceToken.objects.update(state_changed_at=timezone.now() - 2 * settings.TOKEN_RETENTION)

    tasks.upkeep()

    assert not DeviceToken.objects.exists()
    assert Delivery.objects.get().token_id == token.pk
    assert Occurrence.objects.get().unregistered == 1


def test_upkeep_forgets_slots_that_count_no_more(app, phones, memory, sends):
    phones.ring("one")
    memory()
    app.cap_pushes = 1
    app.save()
    list(fanout.plan_batches(sends.to_everyone().pk))
    tasks.deliver("bulk")
    tasks.upkeep()
    assert CapTaken.objects.exists()
    CapTaken.objects.update(day=timezone.now().date() - timedelta(days=32))

    tasks.upkeep()

    assert not CapTaken.objects.exists()
