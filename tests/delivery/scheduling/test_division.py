"""A batch that goes back as several: every token in one of them, at any moment."""

from datetime import timedelta

import pytest
from django.utils import timezone

from delivery import fanout
from delivery.models import Batch, Occurrence
from delivery.providers.contract import Environment
from delivery.scheduling import claims
from delivery.scheduling.division import Part, divide_batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(phones, sends, credentials):
    phones.many(6)
    list(fanout.plan_batches(sends.to_everyone().pk))
    return claims.take_batch("bulk", now=timezone.now())


def waits():
    """Give what is waiting: tokens by the minutes until they are due."""
    now = timezone.now()
    return {
        round((b.next_attempt_at - now) / timedelta(minutes=1)): b.token_ids
        for b in Batch.objects.filter(state="waiting")
    }


def test_each_part_waits_for_a_time_of_its_own(batch):
    settled, a, b, c, d, e = batch.token_ids
    minute = timedelta(minutes=1)

    divide_batch(
        batch,
        [Part([a], wait=minute), Part([b, c, d], wait=5 * minute), Part([e], wait=9 * minute)],
    )

    assert waits() == {1: [a], 5: [settled, b, c, d], 9: [e]}
    assert {x.occurrence_id for x in Batch.objects.all()} == {batch.occurrence_id}


def test_a_part_that_is_all_there_is_stays_in_its_row_with_what_is_settled(batch):
    before = batch.token_ids

    divide_batch(batch, [Part(before[:2], wait=timedelta(minutes=3), reason="why", tried=True)])

    again = Batch.objects.get()
    assert (again.pk, again.token_ids, again.tries, again.last_reason) == (
        batch.pk,
        before,
        1,
        "why",
    )


def test_what_leaves_for_another_environment_closes_what_it_leaves(batch, credentials):
    settled, *others = batch.token_ids
    there = Environment.SANDBOX

    divide_batch(batch, [Part(others, environment=there, credential=credentials["fcm"])])

    old, new = Batch.objects.order_by("id")
    assert (old.state, old.token_ids, old.environment) == ("done", [settled], "production")
    assert (new.state, new.token_ids, new.environment) == ("waiting", others, "sandbox")
    assert new.credential == credentials["fcm"]
    assert (new.topic, new.lane, new.app_id) == (old.topic, old.lane, old.app_id)
    assert new.attempts >= 1  # a lost worker may yet record some of it


def test_what_is_sent_once_more_is_counted_and_says_so(batch):
    divide_batch(batch, [Part(batch.token_ids[:2], resent=True), Part(batch.token_ids[2:])])

    assert dict(Batch.objects.values_list("resent", "token_ids")) == {
        True: batch.token_ids[:2],
        False: batch.token_ids[2:],
    }
    assert Occurrence.objects.get().replayed == 2


def test_a_worker_that_lost_the_batch_divides_nothing(batch):
    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    claims.free_lost_batches(now=timezone.now())

    assert not divide_batch(batch, [Part(batch.token_ids[:1], resent=True), Part([])])

    assert Batch.objects.get().token_ids == batch.token_ids
    assert Occurrence.objects.get().replayed == 6  # by the lost worker alone
