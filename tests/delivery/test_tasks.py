"""The doorbell against the real broker of the run."""

import pytest
from redis import Redis

from delivery import fanout, tasks
from delivery.doorbell import Doorbell
from delivery.models import Batch, Occurrence

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rested(monkeypatch):
    """Give each test a doorbell that has not failed yet."""
    monkeypatch.setattr(tasks, "doorbell", Doorbell())


@pytest.fixture
def queues(settings):
    with Redis.from_url(settings.REDIS_URL) as broker:
        broker.flushdb()
        yield lambda: {lane: broker.llen(lane) for lane in ("urgent", "bulk")}
        broker.flushdb()


def test_a_ring_lands_in_its_lane(queues):
    tasks.ring_for_occurrence(1, lane="urgent")

    assert queues() == {"urgent": 1, "bulk": 0}


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

    assert queues() == {"urgent": 1, "bulk": 1}


def test_a_delivery_rings_for_the_next_until_none_is_waiting(queues, phones, sends, memory):
    memory()
    phones.ring("one")
    list(fanout.plan_batches(sends.to_everyone().pk))

    tasks.deliver("bulk")
    assert queues()["bulk"] == 1
    tasks.deliver("bulk")
    assert queues()["bulk"] == 1
    assert Batch.objects.get().state == Batch.State.DONE


def test_planning_rings_for_its_batches(queues, phones, sends):
    phones.ring("one")
    occurrence = sends.to_everyone()

    tasks.fan_out(occurrence.pk, "bulk")

    assert queues()["bulk"] == 1
    occurrence.refresh_from_db()
    assert occurrence.state == Occurrence.State.SENDING


def test_a_broker_that_is_away_loses_nothing(phones, sends, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    phones.ring("one")
    occurrence = sends.to_everyone()

    tasks.fan_out(occurrence.pk, "bulk")

    assert Batch.objects.get().state == Batch.State.WAITING
