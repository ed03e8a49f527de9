"""Everybody has a turn: retries and fresh work, large apps and small ones."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from crm.commands.apps import create_app
from delivery.models import Batch
from delivery.scheduling import claims
from delivery.scheduling.division import Part, divide_batch
from delivery.scheduling.turns import Turns
from tests.conftest import Sends

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Give each test a process that has served nobody yet."""
    monkeypatch.setattr(claims, "turns", Turns())


@pytest.fixture
def waiting(db):
    """Store batches that wait, each app's beneath one occurrence of its own; gives the app."""

    def store(count, *, lane="bulk", delay=timedelta(seconds=-60), app=None):
        app = app or create_app(name="Another").app
        occurrence = Sends(app).to_everyone()
        now = timezone.now()
        Batch.objects.bulk_create(
            Batch(
                occurrence=occurrence,
                app=app,
                transport="apns",
                environment="production",
                topic="t",
                lane=lane,
                token_ids=[1],
                next_attempt_at=now + delay + timedelta(milliseconds=number),
            )
            for number in range(count)
        )
        return app

    return store


def served(queue="bulk"):
    """Give the batches of a queue in the order they are taken, until none is due."""
    now = timezone.now()
    while (batch := claims.take_next(queue, now=now)) is not None:
        yield batch


def names(batches):
    return [(batch.lane, batch.app_id) for batch in batches]


def test_retries_and_fresh_work_take_turns(waiting):
    app = waiting(3, lane="retry")
    waiting(5, lane="bulk", app=app)

    lanes = [batch.lane for batch in served()]

    assert lanes == ["retry", "bulk"] * 3 + ["bulk"] * 2


def test_urgent_work_is_in_no_other_queue(waiting):
    waiting(1, lane="urgent")

    assert list(served("bulk")) == []
    assert [batch.lane for batch in served("urgent")] == ["urgent"]


@pytest.mark.parametrize(("queue", "lane"), [("bulk", "bulk"), ("bulk", "retry"), ("urgent",) * 2])
def test_a_large_broadcast_of_one_app_delays_a_small_one_by_a_batch_each(waiting, queue, lane):
    large = waiting(50, lane=lane, delay=timedelta(hours=-1))
    small, smaller = waiting(3, lane=lane), waiting(1, lane=lane)

    order = [batch.app_id for batch in served(queue)]

    assert order[:4] == [large.pk, small.pk, smaller.pk, large.pk]
    assert order.index(small.pk, 4) == 4
    assert Counter(order) == {large.pk: 50, small.pk: 3, smaller.pk: 1}


def test_of_one_app_the_longest_waiting_batch_is_first(waiting):
    app = waiting(2)
    waiting(1, app=app, delay=timedelta(hours=-1))

    taken = list(served())

    assert taken[0].occurrence_id == max(batch.occurrence_id for batch in taken)


def test_apps_that_wait_for_a_retry_are_passed_over(waiting):
    first = waiting(2)
    for _ in range(5):
        waiting(3, delay=timedelta(hours=1))
    last = waiting(2)

    assert [b.app_id for b in served()] == [first.pk, last.pk, first.pk, last.pk]


def test_an_app_behind_more_idle_ones_than_a_claim_passes_over_has_its_turn(waiting, monkeypatch):
    monkeypatch.setattr(claims, "HOPS", 3)
    large = waiting(20)
    for _ in range(7):
        waiting(1, delay=timedelta(hours=1))
    small = waiting(2)

    order = [batch.app_id for batch in served()]

    assert order.index(small.pk) <= 3
    assert Counter(order) == {large.pk: 20, small.pk: 2}


def test_where_nothing_is_due_nothing_is_taken(waiting):
    waiting(3, delay=timedelta(hours=1))

    assert list(served()) == []


# -- where a retry waits


def released(batch, **said):
    divide_batch(batch, [Part(batch.token_ids, reason="said so", **said)])
    batch.refresh_from_db()
    return batch.lane


@pytest.mark.parametrize(
    ("lane", "tries", "wait", "then"),
    [
        ("bulk", 0, 10, "retry"),
        ("retry", 3, 10, "retry"),
        ("urgent", 0, 10, "urgent"),
        ("urgent", 0, 60, "urgent"),
        ("urgent", 0, 61, "retry"),
        ("urgent", 1, 10, "retry"),
    ],
)
def test_what_must_be_asked_again_is_a_retry_and_urgent_once_more_at_most(
    waiting, lane, tries, wait, then
):
    waiting(1, lane=lane)
    Batch.objects.update(tries=tries)
    batch = claims.take_batch(lane, now=timezone.now())

    assert released(batch, wait=timedelta(seconds=wait), tried=True) == then


@pytest.mark.parametrize("lane", ["urgent", "bulk", "retry"])
def test_what_only_waited_for_its_credential_stays_in_its_lane(waiting, lane):
    waiting(1, lane=lane)
    batch = claims.take_batch(lane, now=timezone.now())

    assert released(batch, wait=timedelta(minutes=5)) == lane
