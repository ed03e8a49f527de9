from datetime import timedelta

import pytest
from django.utils import timezone

from delivery import fanout, statement
from delivery.models import Batch, Occurrence
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db


@pytest.fixture
def planned(phones, sends, settings):
    settings.BATCH_SIZE = 1
    phones.many(2)
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    return occurrence


def test_a_batch_is_taken_once(planned):
    now = timezone.now()
    taken = [claims.take_batch("bulk", now=now) for _ in range(3)]

    assert len({b.pk for b in taken[:2]}) == 2
    assert taken[2] is None


def test_the_longest_waiting_batch_is_taken_first(planned):
    last = Batch.objects.order_by("id").last()
    Batch.objects.filter(pk=last.pk).update(next_attempt_at=timezone.now() - timedelta(hours=1))

    assert claims.take_batch("bulk", now=timezone.now()) == last


def test_a_batch_before_its_next_attempt_waits(planned):
    Batch.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=1))

    assert claims.take_batch("bulk", now=timezone.now()) is None


def test_what_no_message_woke_is_found(planned, sends):
    due = sends.to_everyone()
    later = sends.to_everyone()
    Occurrence.objects.filter(pk=later.pk).update(due_at=later.expires_at)

    waiting = claims.find_waiting(now=timezone.now(), at_most=10)

    assert waiting.occurrences == [(due.pk, "bulk")]
    assert waiting.lanes == {"urgent": 0, "retry": 0, "bulk": 2}


def test_an_occurrence_finishes_with_its_last_batch(planned):
    first, second = Batch.objects.all()
    for batch in (first, second):
        assert not claims.finish_occurrence(planned.pk)
        Batch.objects.filter(pk=batch.pk).update(state="done")

    assert claims.finish_occurrence(planned.pk)
    planned.refresh_from_db()
    assert planned.state == Occurrence.State.FINISHED


def test_an_occurrence_whose_finisher_vanished_is_finished_later(planned):
    assert claims.finish_idle_occurrences() == 0
    Batch.objects.update(state="done")

    assert claims.finish_idle_occurrences() == 1


def test_a_firing_whose_last_page_is_stored_just_now_is_not_finished(planned, monkeypatch):
    """A planner commits between any two statements of a worker that found no batch left."""
    Batch.objects.update(state=Batch.State.DONE)
    Occurrence.objects.update(state=Occurrence.State.PLANNING)

    execute = statement._executed

    def last_page(*asked):
        answer = execute(*asked)
        if not Batch.objects.filter(state=Batch.State.WAITING).exists():
            Batch.objects.filter(pk=Batch.objects.first().pk).update(state=Batch.State.WAITING)
            Occurrence.objects.update(state=Occurrence.State.SENDING)
        return answer

    monkeypatch.setattr(statement, "_executed", last_page)
    claims.finish_occurrence(planned.pk)

    planned.refresh_from_db()
    assert planned.state == Occurrence.State.SENDING


def test_a_batch_can_wait_for_weeks(planned):
    Batch.objects.update(attempts=32767)  # a smallint's last

    assert claims.take_batch("bulk", now=timezone.now()).attempts == 32768


def test_a_lease_from_before_the_clock_was_set_back_ends_soon(planned, settings):
    batch = claims.take_batch("bulk", now=timezone.now() + timedelta(hours=2))
    Occurrence.objects.update(
        state=Occurrence.State.PLANNING, lease_until=timezone.now() + timedelta(hours=2)
    )
    now = timezone.now()

    claims.come_back_to(now)

    batch.refresh_from_db()
    assert batch.lease_until == now + settings.BATCH_LEASE
    assert Occurrence.objects.get().lease_until < now + timedelta(minutes=2)


def test_what_was_stored_before_the_clock_was_set_back_is_due(planned):
    later = timezone.now() + timedelta(hours=2)
    Batch.objects.update(created_at=later, next_attempt_at=later)

    claims.come_back_to(timezone.now())

    assert claims.take_batch("bulk", now=timezone.now()) is not None


def test_leases_and_waits_as_they_should_be_stay_as_they_are(planned):
    claims.take_batch("bulk", now=timezone.now())
    Batch.objects.filter(state=Batch.State.WAITING).update(
        next_attempt_at=timezone.now() + timedelta(minutes=10)
    )
    before = list(Batch.objects.order_by("id").values())

    claims.come_back_to(timezone.now())

    assert list(Batch.objects.order_by("id").values()) == before
