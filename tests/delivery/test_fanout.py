from datetime import timedelta

import pytest
from django.utils import timezone

from delivery import fanout
from delivery.audience import Audience
from delivery.models import Batch, Notification, Occurrence, ProviderCredential

pytestmark = pytest.mark.django_db


def plan(occurrence):
    pages = list(fanout.plan_batches(occurrence.pk))
    occurrence.refresh_from_db()
    return pages


def test_a_broadcast_is_sliced_into_batches_of_the_set_size(phones, sends, settings):
    settings.BATCH_SIZE = 3
    tokens = phones.many(7)
    occurrence = sends.to_everyone()

    assert plan(occurrence) == [3]

    sizes = [len(b.token_ids) for b in Batch.objects.order_by("id")]
    assert sorted(sizes) == [1, 3, 3]
    assert sorted(i for b in Batch.objects.all() for i in b.token_ids) == [t.pk for t in tokens]
    assert occurrence.targeted == occurrence.pending == 7
    assert occurrence.state == Occurrence.State.SENDING


def test_pages_are_planned_one_after_another_until_the_audience_ends(phones, sends, settings):
    settings.PLAN_PAGE = 4
    tokens = phones.many(10)
    occurrence = sends.to_everyone()

    assert plan(occurrence) == [1, 1, 1]

    assert occurrence.targeted == 10
    assert occurrence.cursor == tokens[-1].pk


def test_an_audience_that_ends_with_a_page_is_not_planned_twice(phones, sends, settings):
    settings.PLAN_PAGE = 5
    phones.many(10)
    occurrence = sends.to_everyone()

    plan(occurrence)

    assert occurrence.targeted == 10
    assert sum(len(b.token_ids) for b in Batch.objects.all()) == 10


def test_a_batch_never_mixes_providers_topics_or_environments(phones, sends, app):
    phones.many(2)
    phones.many(2, transport="fcm")
    sandboxed = phones.ring("sandboxed")
    type(sandboxed).objects.filter(pk=sandboxed.pk).update(environment="sandbox")
    other = phones.ring("other")
    type(other).objects.filter(pk=other.pk).update(topic="com.example.other")

    plan(sends.to_everyone())

    assert Batch.objects.count() == 4
    assert {(b.transport, b.environment, b.topic) for b in Batch.objects.all()} == {
        ("apns", "production", "com.example.app"),
        ("apns", "sandbox", "com.example.app"),
        ("apns", "production", "com.example.other"),
        ("fcm", "production", ""),
    }


def test_the_most_particular_credential_is_chosen(phones, sends, credentials, app):
    particular = ProviderCredential.objects.create(
        app=app, provider="apns", kind="key", sealed=b"", topic="com.example.app"
    )
    phones.ring("a")
    phones.ring("b", transport="fcm")

    plan(sends.to_everyone())

    chosen = {b.transport: b.credential for b in Batch.objects.all()}
    assert chosen == {"apns": particular, "fcm": credentials["fcm"]}


def test_planning_twice_plans_once(phones, sends):
    phones.many(3)
    occurrence = sends.to_everyone()
    plan(occurrence)

    assert plan(occurrence) == []
    assert Batch.objects.count() == 1


def test_a_planner_that_vanished_is_followed_from_its_cursor(phones, sends, settings):
    settings.PLAN_PAGE = 4
    phones.many(10)
    occurrence = sends.to_everyone()
    pages = fanout.plan_batches(occurrence.pk)
    next(pages)
    pages.close()  # vanished after the first page
    assert plan(occurrence) == []  # its lease still holds

    Occurrence.objects.update(lease_until=occurrence.due_at)

    assert plan(occurrence) == [1, 1]
    planned = [i for b in Batch.objects.all() for i in b.token_ids]
    assert len(planned) == len(set(planned)) == 10 == occurrence.targeted


def test_an_audience_of_nobody_finishes_at_once(sends):
    occurrence = sends.to(Audience(user_uids=("nobody",)))

    assert plan(occurrence) == []

    assert occurrence.state == Occurrence.State.FINISHED
    assert occurrence.targeted == 0


def test_an_occurrence_before_its_time_is_left_alone(phones, sends):
    phones.ring("a")
    occurrence = sends.to_everyone()
    Occurrence.objects.update(due_at=occurrence.expires_at)

    assert plan(occurrence) == []
    assert occurrence.state == Occurrence.State.DUE


def test_a_firing_that_cannot_be_planned_is_tried_until_its_time_is_over(phones, sends):
    phones.ring("one")
    occurrence = sends.to_everyone()
    Notification.objects.update(audience={"of_a_later_version": True})

    with pytest.raises(TypeError):
        plan(occurrence)
    occurrence.refresh_from_db()
    assert occurrence.state == Occurrence.State.PLANNING

    past = timezone.now() - timedelta(seconds=1)
    Occurrence.objects.update(lease_until=past, expires_at=past)
    assert plan(occurrence) == []
    assert (occurrence.state, occurrence.pending) == (Occurrence.State.FINISHED, 0)
