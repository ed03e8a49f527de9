"""Two at once: threads with connections of their own against the real database."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from crm.commands.device_tokens import Death, retire_tokens
from crm.commands.installs import AssociateUser, RegisterToken
from crm.models import DeviceToken, Event, Install, User
from delivery import dispatch, fanout, outcomes
from delivery.commands.record_events import DeviceEvent, record_events
from delivery.models import Batch, Delivery, Occurrence
from delivery.providers.contract import Outcome, Verdict
from delivery.scheduling import claims
from tests.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_rows_left(transactional_db):
    """Empty the ledger afterwards: its table is not Django's to flush."""
    yield
    Delivery.objects.all().delete()


@pytest.fixture
def tokens(phones, memory):
    memory()
    with transaction.atomic():
        return phones.many(20)


def told(app, uid, *effects, uuid=None):
    events = [
        DeviceEvent(
            uuid=uuid or uuid4(),
            type="k",
            happened_at=timezone.now(),
            user_uid=None,
            data=None,
            effect=effect,
        )
        for effect in effects
    ]
    return lambda: record_events(app=app, install_uid=uid, events=events)


def address(value):
    return RegisterToken(transport="fcm", environment="production", topic="", value=value)


def test_two_broadcasts_that_meet_the_same_dead_phones_do_not_block_each_other(tokens, sends):
    """Apple dates each death: no two tokens share a reason and a moment."""
    now = timezone.now()
    deaths = [
        Outcome(
            t.pk, Verdict.UNREGISTERED, reason="Unregistered", died_at=now + timedelta(seconds=n)
        )
        for n, t in enumerate(tokens)
    ]
    first, second = sends.to_everyone(), sends.to_everyone()
    Occurrence.objects.update(targeted=len(tokens))
    for _ in range(10):
        DeviceToken.objects.update(state="alive")
        Delivery.objects.all().delete()
        Occurrence.objects.update(unregistered=0)
        given = at_once(
            lambda: outcomes.record_outcomes(first, deaths, installs={}),
            lambda: outcomes.record_outcomes(second, deaths[::-1], installs={}),
        )
        assert given == [None, None]
        assert set(DeviceToken.objects.values_list("state", flat=True)) == {"dead"}


def test_workers_retire_while_devices_swap_their_tokens(app, tokens):
    values = [t.value for t in tokens[:2]]
    DeviceToken.objects.update(transport="fcm", topic="")
    uids = list(Install.objects.order_by("pk").values_list("uid", flat=True)[:2])
    deaths = [Death(token_id=t.pk, reason="gone", died_at=None) for t in tokens]
    for turn in range(10):
        given = at_once(
            told(app, uids[0], address(values[turn % 2])),
            told(app, uids[1], address(values[1 - turn % 2])),
            lambda: retire_tokens(deaths),
        )
        assert [g for g in given if isinstance(g, Exception)] == []
    alive = DeviceToken.objects.filter(state="alive", install__uid__in=uids)
    owners = list(alive.values_list("install", flat=True))
    assert len(owners) == len(set(owners))  # one address for each at most


def test_one_token_registered_by_many_installs_at_once_has_one_owner(app):
    given = at_once(*(told(app, f"I-{n}", address("shared")) for n in range(4)))

    assert given == [1] * 4
    token = DeviceToken.objects.get()
    assert (token.state, token.install.uid[:2]) == ("alive", "I-")


def test_the_same_post_on_many_connections_is_stored_once(app):
    uuid = uuid4()
    post = told(app, "I-1", AssociateUser(user_uid="Ann", attributes={"a": 1}), uuid=uuid)

    assert sorted(at_once(post, post, post, post)) == [0, 0, 0, 1]

    assert (Event.objects.count(), Install.objects.count()) == (1, 1)
    assert set(User.objects.values_list("uid", flat=True)) == {"I-1", "Ann"}


def test_two_planners_plan_every_token_once(tokens, sends, settings):
    settings.PLAN_PAGE, settings.BATCH_SIZE = 3, 2
    occurrence = sends.to_everyone()

    def plan():
        return sum(fanout.plan_batches(occurrence.pk))

    assert sorted(at_once(plan, plan, plan))[:2] == [0, 0]
    planned = [i for b in Batch.objects.all() for i in b.token_ids]
    assert sorted(planned) == [t.pk for t in tokens]


def test_a_planner_that_lost_its_lease_in_mid_page_plans_nothing_twice(tokens, sends, settings):
    settings.PLAN_PAGE, settings.BATCH_SIZE = 3, 2
    occurrence = sends.to_everyone()
    slow = fanout.plan_batches(occurrence.pk)
    next(slow)
    Occurrence.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    at_once(lambda: list(slow), lambda: list(fanout.plan_batches(occurrence.pk)))

    planned = [i for b in Batch.objects.all() for i in b.token_ids]
    assert sorted(planned) == [t.pk for t in tokens]
    occurrence.refresh_from_db()
    assert (occurrence.targeted, occurrence.state) == (20, Occurrence.State.SENDING)


def test_many_workers_and_ticks_end_a_send_with_one_outcome_each(tokens, sends, settings):
    settings.BATCH_SIZE = 1
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    def work():
        while dispatch.deliver_next("bulk"):
            pass

    def tick():
        for _ in range(20):
            claims.free_lost_batches(now=timezone.now())
            claims.finish_idle_occurrences()

    assert at_once(work, work, work, tick, tick) == [None] * 5
    claims.finish_idle_occurrences()
    occurrence.refresh_from_db()
    assert (occurrence.accepted, occurrence.pending, occurrence.replayed) == (20, 0, 0)
    assert occurrence.state == Occurrence.State.FINISHED
    assert Delivery.objects.count() == 20
