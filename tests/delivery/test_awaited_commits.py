"""Which commits are on the disk before anything goes on: docs/adr/0025."""

import pytest
from django.db import connection
from django.utils import timezone

from delivery import fanout, outcomes
from delivery.commands.webhooks import WriteWebhook, create_webhook
from delivery.models import Batch, Delivery, Occurrence
from delivery.models.webhook import Topic
from delivery.outbox import listeners
from delivery.outcomes import Ending
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db


def is_awaited(doing):
    """Say whether a transaction that does this would wait for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        doing()
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone() == ("on",)


def take():
    return claims.take_batch("bulk", now=timezone.now())


@pytest.fixture
def planned(phones, sends):
    phones.many(1)
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    return occurrence


def end(occurrence):
    """Have the ledger say that its one push was accepted."""
    [token_id] = Batch.objects.get().token_ids
    accepted = Ending(token_id, Delivery.Verdict.ACCEPTED.value)
    outcomes.record_endings(occurrence, [accepted], installs={})


def test_an_ask_is(phones, sends):
    assert is_awaited(sends.to_everyone)


def test_planning_is_not(phones, sends, settings):
    settings.PLAN_PAGE = 4
    phones.many(6)
    first, second = sends.to_everyone(), sends.to_everyone()

    assert not is_awaited(lambda: claims.take_occurrence(first.pk, now=timezone.now()))
    pages = fanout.plan_batches(second.pk)
    next(pages)  # it was taken with this one
    assert not is_awaited(lambda: next(pages))


def test_what_goes_before_a_push_and_what_comes_of_it_are(planned):
    assert is_awaited(take)
    assert is_awaited(lambda: end(planned))


def test_the_end_of_a_batch_and_of_a_firing_are_not(planned):
    batch = take()
    end(planned)

    assert not is_awaited(lambda: claims.close_batch(batch))
    assert not is_awaited(lambda: claims.finish_occurrence(planned.pk))
    planned.refresh_from_db()
    assert planned.state == Occurrence.State.FINISHED


@pytest.fixture
def told(app):
    """Have a webhook told of finished sends."""
    where = WriteWebhook(url="https://example.com/hook", topics=[Topic.FINISHED])
    create_webhook(app=app, ask=where)
    listeners.forget()
    yield
    listeners.forget()


@pytest.mark.usefixtures("told")
def test_an_end_that_somebody_is_told_of_is(planned):
    claims.close_batch(take())
    end(planned)

    assert is_awaited(lambda: claims.finish_occurrence(planned.pk))
    planned.refresh_from_db()
    assert planned.state == Occurrence.State.FINISHED
