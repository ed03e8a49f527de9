"""Two at once: threads with connections of their own against the real database."""

import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from crm.commands.installs import AssociateUser, RegisterToken, recognise_install
from crm.commands.token_health import Death, retire_tokens
from crm.errors import Conflict
from crm.models import DeviceToken, Event, Install, User
from delivery import capping, dispatch, fanout, outcomes
from delivery.audience import Audience
from delivery.breaker import Leave, admit, close_breakers
from delivery.commands.amend import (
    Revision,
    edit_notification,
    revise_notification,
    withdraw_notification,
)
from delivery.commands.record_events import DeviceEvent, record_events
from delivery.commands.send import SendNotification, send_notification
from delivery.message import InAppMessage, Message
from delivery.models import Batch, Breaker, CapTaken, Delivery, Notification, Occurrence
from delivery.providers.contract import Outcome, Verdict
from delivery.schedule import Schedule
from delivery.scheduling import claims
from delivery.scheduling.division import Part, divide_batch
from tests.at_once import at_once, wait_until_somebody_waits

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


@pytest.mark.parametrize("uid", ["I-1", "I-2", "I-3", "I-4", "I-5"])
def test_an_install_is_found_though_its_user_changes_as_it_appears(app, uid):
    users = [User.objects.create(app=app, uid=name) for name in ("before", "after")]
    stored = threading.Event()

    def appear():
        with transaction.atomic():
            install = Install.objects.create(app=app, uid=uid, user=users[0])
            stored.set()
            wait_until_somebody_waits()
        with transaction.atomic():
            Install.objects.filter(pk=install.pk).update(user=users[1])
            time.sleep(0.1)  # for whoever was told that it exists to come back for it

    def find():
        stored.wait()
        with transaction.atomic():
            return recognise_install(app=app, uid=uid).user in users

    assert at_once(appear, find) == [None, True]


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


@pytest.fixture
def series(sends):
    """Give the due run of a daily series whose moment has just come."""

    def series(**said):
        occurrence = sends.to_everyone()
        at = occurrence.due_at.replace(microsecond=0)
        schedule = Schedule(at=at, every=timedelta(days=1), **said)
        Occurrence.objects.filter(pk=occurrence.pk).update(due_at=at)
        Notification.objects.filter(pk=occurrence.notification_id).update(
            schedule=schedule.as_json(), source="connectycube"
        )
        occurrence.refresh_from_db()
        return occurrence

    return series


def revised(run, **changes):
    revision = Revision(
        app=run.notification.app,
        notification_id=run.notification_id,
        source="connectycube",
        **changes,
    )
    return lambda: revise_notification(revision) and None


def taken_up(run):
    """Take a run up, and say whether it was there to be taken."""
    return lambda: claims.take_occurrence(run.pk, now=timezone.now()) is not None


def runs_of(run):
    rows = Occurrence.objects.filter(notification=run.notification_id).order_by("due_at")
    return list(rows.values_list("state", "due_at"))


def test_many_ticks_take_a_run_up_once_and_store_one_after_it(series):
    for _ in range(10):
        run = series()
        now = run.due_at + timedelta(days=3, seconds=1)

        def take(run=run, now=now):
            return claims.take_occurrence(run.pk, now=now)

        taken = [given for given in at_once(take, take, take, take) if given is not None]

        assert [occurrence.pk for occurrence in taken] == [run.pk]
        days = timedelta(days=1)
        assert runs_of(run) == [
            ("planning", run.due_at + 3 * days),
            ("due", run.due_at + 4 * days),
        ]


def test_a_run_taken_up_while_its_series_is_paused_leaves_nothing_ahead(series):
    for _ in range(20):
        run = series()
        taken, refused = at_once(taken_up(run), revised(run, active=False))
        assert refused is None
        states = ["planning", "cancelled"] if taken else ["cancelled"]
        assert [state for state, _ in runs_of(run)] == states


def test_a_run_taken_up_while_its_series_moves_has_one_ahead_on_the_new_grid(series):
    for _ in range(20):
        run = series()
        at = run.due_at + timedelta(hours=1)
        schedule = Schedule(at=at, every=timedelta(days=7))
        taken, refused = at_once(taken_up(run), revised(run, schedule=schedule))
        assert refused is None
        assert runs_of(run) == [("planning", run.due_at)] * taken + [("due", at)]


def test_a_send_moved_while_it_is_taken_up_fires_once_or_then(sends):
    for _ in range(20):
        run = sends.to_everyone()
        at = run.due_at.replace(microsecond=0)
        Occurrence.objects.filter(pk=run.pk).update(due_at=at)
        Notification.objects.filter(pk=run.notification_id).update(
            schedule=Schedule(at=at).as_json(), source="connectycube"
        )
        later = Schedule(at=at + timedelta(hours=1))
        taken, refused = at_once(taken_up(run), revised(run, schedule=later))
        assert refused is None
        assert runs_of(run) == [("planning", at)] * taken + [("due", later.at)]


def test_pausing_and_taking_up_at_once_from_many_sides_ends_in_one_of_the_two(series):
    run = series()
    Occurrence.objects.update(due_at=run.due_at + timedelta(days=1))
    for _ in range(10):
        given = at_once(
            revised(run, active=False),
            revised(run, active=True),
            revised(run, active=False),
            revised(run, active=True),
        )
        assert given == [None] * 4
        assert runs_of(run) in (
            [("due", run.due_at + timedelta(days=1))],
            [("cancelled", run.due_at + timedelta(days=1))],
        )


def test_what_is_over_and_asked_for_from_many_sides_at_once_is_sent_again_once(series):
    run = series(until=timezone.now())
    Occurrence.objects.update(state="finished")

    assert at_once(*[revised(run, active=True)] * 4) == [None] * 4

    assert [state for state, _ in runs_of(run)] == ["finished", "due"]


def test_a_series_withdrawn_while_it_is_taken_up_has_nothing_ahead(series):
    for _ in range(20):
        run = series()

        def withdraw(run=run):
            withdraw_notification(
                app=run.notification.app,
                notification_id=run.notification_id,
                source="connectycube",
            )

        taken, refused = at_once(taken_up(run), withdraw)
        assert refused is None
        # its planner, which would come next, finds it called off
        states = ["sending", "cancelled"] if taken else ["cancelled"]
        assert [state for state, _ in runs_of(run)] == states


def test_other_words_given_while_a_run_is_planned_are_for_the_next(tokens, series, settings):
    settings.PLAN_PAGE, settings.BATCH_SIZE = 3, 2
    for _ in range(5):
        run = series()
        anew = Message(title="Anew", body="World")
        given = at_once(
            lambda run=run: sum(fanout.plan_batches(run.pk)), revised(run, message=anew)
        )
        assert given[0] > 0
        said = {
            dispatch.push_of(batch).message.title
            for batch in Batch.objects.filter(occurrence=run).select_related(
                "occurrence__notification"
            )
        }
        # all of it in the words there were when it began
        assert said in ({"Hello"}, {"Anew"})


def test_workers_and_changes_of_mind_together_end_every_run(tokens, series):
    """Planners, workers and revisions lock in one order: none waits for ever, nothing is lost."""
    run = series()

    def work():
        for _ in range(20):
            for due in Occurrence.objects.due(timezone.now()):
                list(fanout.plan_batches(due.pk))
            while dispatch.deliver_next("bulk"):
                pass

    def minds():
        for turn in range(10):
            revised(run, message=Message(title=f"{turn}", body="World"))()
            revised(run, active=False)()
            revised(run, active=True)()

    assert at_once(work, work, minds, minds) == [None] * 4
    work()
    states = [state for state, _ in runs_of(run)]
    assert states.count("due") == 1
    assert set(states) <= {"finished", "due", "cancelled"}
    for occurrence in Occurrence.objects.filter(state="finished"):
        assert (occurrence.accepted, occurrence.pending, occurrence.replayed) == (20, 0, 0)


def test_an_in_app_message_edited_while_it_is_planned_blocks_nobody(app, phones, settings):
    settings.PLAN_PAGE = 2
    with transaction.atomic():
        for number in range(10):
            phones.install(f"I-{number}", user=f"user {number}")
    ask = SendNotification(
        app=app,
        source=Notification.Source.KUMULOS,
        message=InAppMessage(template_uid="t", content={}),
        audience=Audience(everyone=True),
    )
    for _ in range(10):
        notification = send_notification(ask)
        run = notification.occurrences.get()
        planned, edited = at_once(
            lambda run=run: sum(fanout.plan_batches(run.pk)),
            lambda id_=notification.pk: edit_notification(ask, notification_id=id_) and None,
        )
        assert planned == 0
        assert edited is None or isinstance(edited, Conflict)


@pytest.fixture
def held(tokens, sends, settings):
    """Give batches in the hands of as many workers, behind one breaker whose probe is due."""
    settings.BATCH_SIZE = 4
    list(fanout.plan_batches(sends.to_everyone().pk))
    batches = [claims.take_batch("bulk", now=timezone.now()) for _ in range(5)]
    Breaker.objects.create(
        credential=batches[0].credential,
        environment=batches[0].environment,
        topic=batches[0].topic,
        state="open",
        next_probe_at=timezone.now(),
    )
    return batches


def test_of_all_workers_that_find_a_probe_due_one_makes_it(held):
    for _ in range(5):
        Breaker.objects.update(state="open", next_probe_at=timezone.now())

        answers = at_once(*(lambda b=b: admit(b, now=timezone.now()) for b in held))

        assert [isinstance(answer, Leave) and answer.probe for answer in answers].count(True) == 1


def test_nobody_put_off_at_the_moment_the_breaker_closes_is_left_behind(held):
    breaker, soon = Breaker.objects.get(), timezone.now() + timedelta(minutes=20)
    for _ in range(10):
        Breaker.objects.update(state="open", next_probe_at=soon)
        Batch.objects.update(state="sending", next_attempt_at=timezone.now())
        put_off = [lambda b=b: divide_batch(b, [Part(b.token_ids, breaker=breaker)]) for b in held]

        assert None not in at_once(*put_off, lambda: close_breakers(Breaker.objects.all()))

        # not in twenty minutes; the database's clock may be some milliseconds ahead of ours
        in_a_minute = timezone.now() + timedelta(minutes=1)
        assert not Batch.objects.filter(next_attempt_at__gt=in_a_minute).exists()


def test_many_workers_that_doubt_at_once_open_one_breaker_and_lose_no_token(held, tokens):
    Breaker.objects.all().delete()

    def doubted(batch):
        answers = dispatch.Answers(batch, dispatch.Asked())
        answers.take(
            [
                Outcome(i, Verdict.UNREGISTERED, reason="BadDeviceToken", proven=False)
                for i in batch.token_ids
            ]
        )
        answers.settle()

    at_once(*(lambda b=b: doubted(b) for b in held))

    assert Breaker.objects.get().state == "open"
    assert set(DeviceToken.objects.values_list("state", flat=True)) == {"alive"}


@pytest.mark.parametrize("turn", range(5))
def test_two_batches_to_the_same_installs_never_give_more_than_the_cap(app, tokens, sends, turn):
    """Two firings, each a batch of all, taken by two workers at once; a third meanwhile."""
    app.cap_pushes = 1 + turn % 2
    app.save()
    firings = [sends.to_everyone() for _ in range(4)]
    for firing in firings:
        list(fanout.plan_batches(firing.pk))

    given = at_once(*[lambda: dispatch.deliver_next("bulk")] * len(firings))

    assert given == [True] * len(firings)
    ends = dict(Delivery.objects.values_list("verdict").annotate(Count("token_id")))
    assert ends == {
        "accepted": app.cap_pushes * len(tokens),
        "capped": (len(firings) - app.cap_pushes) * len(tokens),
    }
    for row in CapTaken.objects.all():
        assert len(row.occurrence_ids) == len(set(row.occurrence_ids)) == app.cap_pushes
        assert row.taken_at == sorted(row.taken_at)


def test_slots_asked_for_crosswise_do_not_lock_each_other(app, tokens, sends):
    app.cap_pushes = 2
    app.save()
    installs = [token.install_id for token in tokens]
    batches = [Batch(occurrence=sends.to_everyone(), app=app) for _ in range(2)]
    for _ in range(20):
        CapTaken.objects.all().delete()
        given = at_once(
            lambda: capping.take_slots(batches[0], installs),
            lambda: capping.take_slots(batches[1], installs[::-1]),
            lambda: capping.forget_slots(today=timezone.now().date()),
        )
        assert given == [capping.NOBODY, capping.NOBODY, 0]
        assert {len(row.taken_at) for row in CapTaken.objects.all()} == {2}


def test_a_sibling_that_waits_for_the_same_row_shares_its_slot(app, tokens, sends):
    """What the first statement stores is seen by the one that waited, though it began before."""
    app.cap_pushes = 1
    app.save()
    batch, install = Batch(occurrence=sends.to_everyone(), app=app), tokens[0].install_id
    other = Batch(occurrence=sends.to_everyone(), app=app)
    stored = threading.Event()

    def first():
        with transaction.atomic():
            capping.take_slots(batch, [install])
            stored.set()
            wait_until_somebody_waits()

    def second(of):
        stored.wait(10)
        return capping.take_slots(of, [install]).installs

    assert at_once(first, lambda: second(batch)) == [None, frozenset()]
    CapTaken.objects.all().delete()
    stored.clear()
    assert at_once(first, lambda: second(other)) == [None, {install}]
