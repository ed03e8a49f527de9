"""The cap as a send meets it: who gets a slot, who is held back, and that it adds up."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.commands.apps import create_app
from crm.models import DeviceToken
from delivery import breaker, capping, dispatch, fanout, pacing, reports, statement, tally
from delivery.audience import Audience
from delivery.models import (
    Batch,
    Breaker,
    CapTaken,
    Delivery,
    Notification,
    Occurrence,
    ProviderCredential,
)
from delivery.models.notification import Lane
from delivery.scheduling import claims
from tests.conftest import TOPIC, Phones, Sends
from tests.delivery.working import again, due_now

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def cap(app, pushes, window=DAY):
    app.cap_pushes, app.cap_window = pushes, window
    app.save(update_fields=["cap_pushes", "cap_window"])


@pytest.fixture
def broadcast(sends):
    """Send to everybody now, and give the firing as it is then."""

    def send(**said):
        return work(sends.to_everyone(**said))

    return send


def work(occurrence, queue="bulk"):
    list(fanout.plan_batches(occurrence.pk))
    return again(occurrence, queue)


def age(by):
    """Let time pass for every slot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery_captaken SET day = day - %s::interval, taken_at ="
            " ARRAY(SELECT at - %s::interval FROM unnest(taken_at) WITH ORDINALITY s (at, n)"
            " ORDER BY n)",
            [by, by],
        )


def ends(occurrence):
    """Give the counters that are not 0, having checked that they add up and are the ledger's."""
    funnel, runs = reports.funnel(occurrence.notification), occurrence.notification.occurrences
    told = {v: getattr(occurrence, v) for v in Delivery.Verdict.values}
    for verdict, count in told.items():
        rows = Delivery.objects.filter(occurrence_id=occurrence.pk, verdict=verdict)
        assert rows.count() == count
        assert getattr(funnel, verdict) == sum(runs.values_list(verdict, flat=True))
    assert occurrence.targeted == sum(told.values()) + occurrence.pending
    return {verdict: count for verdict, count in told.items() if count}


@contextmanager
def raw_statements(monkeypatch):
    """List what is asked past the ORM."""
    said, fetch_rows = [], statement.fetch_rows

    def noted(sql, values):
        said.append(sql)
        return fetch_rows(sql, values)

    with monkeypatch.context() as patch:
        for module in (dispatch, capping, statement):
            patch.setattr(module, "fetch_rows", noted)
        yield said


def slots():
    return {row.install_id: row.occurrence_ids for row in CapTaken.objects.all()}


def test_the_cap_holds_from_one_send_to_the_next(app, phones, memory, broadcast):
    phones.many(3)
    provider = memory()
    cap(app, 2)

    assert ends(broadcast()) == {"accepted": 3}
    assert ends(broadcast()) == {"accepted": 3}
    third = broadcast()

    assert ends(third) == {"capped": 3}
    assert third.state == Occurrence.State.FINISHED
    assert len(provider.sent) == 6
    [reason] = set(Delivery.objects.filter(verdict="capped").values_list("reason", flat=True))
    assert reason == "2 pushes in 24 hours already"


def test_who_has_room_gets_it_and_the_others_do_not(app, phones, memory, broadcast, sends):
    first, second = phones.many(2)
    memory()
    cap(app, 1)
    work(sends.to(Audience(install_uids=[first.install.uid])))

    mixed = broadcast()

    assert ends(mixed) == {"accepted": 1, "capped": 1}
    rows = Delivery.objects.filter(occurrence_id=mixed.pk)
    assert dict(rows.values_list("token_id", "verdict")) == {
        first.pk: "capped",
        second.pk: "accepted",
    }
    assert dict(rows.values_list("token_id", "install_id"))[first.pk] == first.install_id


def test_a_slot_is_free_again_when_the_window_has_passed(app, phones, memory, broadcast):
    phones.ring("one")
    memory()
    cap(app, 2)
    broadcast()
    age(timedelta(hours=23))
    latest = broadcast()
    assert ends(broadcast()) == {"capped": 1}

    age(timedelta(hours=1))

    assert ends(broadcast()) == {"accepted": 1}
    [taken] = CapTaken.objects.all()
    assert taken.occurrence_ids[0] == latest.pk  # what was past is no longer stored
    assert len(taken.occurrence_ids) == len(taken.taken_at) == 2
    assert ends(broadcast()) == {"capped": 1}


def test_urgent_pushes_pass_and_take_no_slot(app, phones, memory, sends, broadcast):
    phones.ring("one")
    memory()
    cap(app, 1)
    urgent = Audience(install_uids=["one"])

    for _ in range(2):
        assert ends(work(sends.to(urgent, lane=Lane.URGENT), "urgent")) == {"accepted": 1}
    assert slots() == {}
    assert ends(broadcast()) == {"accepted": 1}
    assert ends(work(sends.to(urgent, lane=Lane.URGENT), "urgent")) == {"accepted": 1}


def test_an_urgent_push_that_is_retried_in_the_other_lane_passes_too(
    app, phones, memory, sends, broadcast
):
    phones.ring("one")
    memory({"apns-one": "accepted throttled:120 accepted"})
    cap(app, 1)
    broadcast()
    urgent = work(sends.to(Audience(install_uids=["one"]), lane=Lane.URGENT), "urgent")
    assert Batch.objects.get(occurrence=urgent).lane == Lane.RETRY

    due_now()

    assert ends(again(urgent)) == {"accepted": 1}


def test_two_tokens_of_an_install_count_once(app, phones, memory, broadcast):
    """In batches of their own, as they go to two providers."""
    install = phones.ring("one").install
    other = DeviceToken.objects.get()
    other.pk, other.transport, other.topic, other.value = None, "fcm", "", "fcm-one"
    other.save(force_insert=True)
    memory()
    cap(app, 2)

    assert ends(broadcast()) == {"accepted": 2}
    assert len(slots()[install.pk]) == 1
    assert ends(broadcast()) == {"accepted": 2}
    assert ends(broadcast()) == {"capped": 2}


def test_a_token_without_an_install_is_never_capped(app, phones, memory, sends):
    phones.ring("one")
    memory()
    cap(app, 1)
    list(fanout.plan_batches(sends.to_everyone().pk))
    batch = claims.take_batch("bulk", now=timezone.now())

    for _ in range(2):
        assert capping.take_slots(batch, [None, None]) is capping.NOBODY
    assert slots() == {}


def test_a_batch_whose_worker_died_takes_no_second_slot(app, phones, memory, broadcast, sends):
    """Its slots are stored before the provider is asked, and are its own when it comes again."""
    one = phones.ring("one").install
    memory()
    cap(app, 2)
    broadcast()
    lost = sends.to_everyone()
    list(fanout.plan_batches(lost.pk))
    batch = claims.take_batch("bulk", now=timezone.now())
    assert capping.take_slots(batch, [one.pk]) is capping.NOBODY  # and there it dies
    Batch.objects.filter(pk=batch.pk).update(lease_until=timezone.now() - DAY)
    assert claims.free_lost_batches(now=timezone.now()) == 1

    assert ends(again(lost)) == {"accepted": 1}
    assert slots()[one.pk][-1] == lost.pk
    assert len(slots()[one.pk]) == 2


def test_a_push_that_is_asked_again_keeps_its_slot_and_moves_it(app, phones, memory, broadcast):
    one = phones.ring("one").install
    memory({"apns-one": "throttled:5 accepted"})
    cap(app, 1)
    first = broadcast()
    assert first.pending == 1
    age(timedelta(hours=20))
    due_now()

    assert ends(again(first)) == {"accepted": 1}
    assert slots() == {one.pk: [first.pk]}
    age(timedelta(hours=20))
    assert ends(broadcast()) == {"capped": 1}  # it reached the device 20 hours ago, not 40
    age(timedelta(hours=4))
    assert ends(broadcast()) == {"accepted": 1}


def test_a_push_asked_again_after_its_slot_is_past_needs_another(app, phones, memory, broadcast):
    phones.ring("one")
    memory({"apns-one": "throttled:5 accepted"})
    cap(app, 1)
    first = broadcast()
    age(DAY)
    assert ends(broadcast()) == {"accepted": 1}
    due_now()

    assert ends(again(first)) == {"capped": 1}


def test_what_may_have_arrived_before_stays_uncertain(app, phones, memory, sends, broadcast):
    phones.ring("one")
    memory({"apns-one": "uncertain accepted"})
    cap(app, 1)
    occurrence = sends.to_everyone()
    Notification.objects.update(resend_uncertain=True)
    work(occurrence)
    assert occurrence.pending == 1
    age(DAY)
    assert ends(broadcast()) == {"accepted": 1}
    due_now()

    assert ends(again(occurrence)) == {"uncertain": 1}


def test_what_is_refused_keeps_its_slot(app, phones, memory, broadcast):
    phones.ring("one")
    memory({"apns-one": "rejected"})
    cap(app, 1)

    assert ends(broadcast()) == {"rejected": 1}
    assert ends(broadcast()) == {"capped": 1}


def test_what_waits_for_its_turn_takes_no_slot(app, phones, memory, broadcast, monkeypatch):
    phones.ring("one")
    memory()
    cap(app, 1)
    with monkeypatch.context() as slow:
        slow.setattr(pacing, "wait_for_turn", lambda batch, pushes: timedelta(minutes=5))
        waits = broadcast()
    assert (waits.pending, slots()) == (1, {})

    assert ends(broadcast()) == {"accepted": 1}
    due_now()
    assert ends(again(waits)) == {"capped": 1}


@pytest.mark.parametrize(
    ("column", "told"),
    [("held_at", {}), ("called_off_at", {"cancelled": 1}), ("expires_at", {"expired": 1})],
)
def test_what_is_paused_called_off_or_over_takes_no_slot(  # noqa: PLR0917
    app, phones, memory, sends, column, told
):
    phones.ring("one")
    memory()
    cap(app, 1)
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    Occurrence.objects.update(**{column: timezone.now()})

    assert ends(again(occurrence)) == told
    assert slots() == {}


def test_what_cannot_be_sent_at_all_takes_no_slot(app, phones, broadcast):
    phones.ring("one")
    cap(app, 1)

    assert broadcast().pending == 1  # there is no credential
    assert slots() == {}


def open_breaker(credentials):
    return Breaker.objects.update_or_create(
        credential=credentials["apns"],
        environment="production",
        topic=TOPIC,
        defaults={
            "state": Breaker.State.OPEN,
            "reason": "TopicDisallowed",
            "opened_at": timezone.now(),
            "next_probe_at": timezone.now() + timedelta(hours=1),
        },
    )[0]


def test_what_a_breaker_holds_up_takes_no_slot_and_a_probe_takes_its_own(
    app, phones, memory, credentials, broadcast
):
    phones.many(breaker.SAMPLE + 5)
    memory({"*": "misconfigured"})
    cap(app, 1)
    open_breaker(credentials)

    held = broadcast()
    assert (held.pending, slots()) == (breaker.SAMPLE + 5, {})
    due_now()
    again(held)

    assert held.pending == breaker.SAMPLE + 5
    assert len(slots()) == breaker.SAMPLE


def test_a_probe_of_nobody_but_capped_ones_is_left_to_the_next(
    app, phones, memory, credentials, broadcast
):
    many = breaker.SAMPLE * 2 + 5
    phones.many(many)
    provider = memory()
    cap(app, 1)
    broadcast()
    provider.sent.clear()
    held = open_breaker(credentials)
    Breaker.objects.update(next_probe_at=timezone.now())

    assert ends(broadcast()) == {"capped": many}
    held.refresh_from_db()
    assert held.state == Breaker.State.OPEN  # nothing was learnt of it
    assert held.next_probe_at <= timezone.now()
    assert not provider.sent


def test_a_probe_goes_on_until_it_meets_somebody_with_room(
    app, phones, memory, credentials, broadcast
):
    phones.many(breaker.SAMPLE * 2)
    provider = memory()
    cap(app, 1)
    broadcast()
    phones.ring("new")
    provider.sent.clear()
    open_breaker(credentials)
    Breaker.objects.update(next_probe_at=timezone.now())

    assert ends(broadcast()) == {"capped": breaker.SAMPLE * 2, "accepted": 1}
    assert [address for _, address in provider.sent] == ["apns-new"]
    assert Breaker.objects.get().state == Breaker.State.CLOSED


def test_every_run_of_a_series_takes_a_slot(app, phones, memory, sends):
    one = phones.ring("one").install
    memory()
    cap(app, 2)
    first = sends.to_everyone()
    later = [first.due_at + n * timedelta(seconds=1) for n in (1, 2)]
    work(first)
    runs = [
        Occurrence.of(first.notification, at=at - timedelta(minutes=1), late=None) for at in later
    ]
    for run in runs:
        run.save()
        work(run)

    assert ends(first) == ends(runs[0]) == {"accepted": 1}
    assert ends(runs[1]) == {"capped": 1}
    assert slots() == {one.pk: [first.pk, runs[0].pk]}


def test_another_apps_cap_is_its_own(app, phones, memory, broadcast):
    phones.ring("one")
    memory()
    cap(app, 1)
    broadcast()
    other = create_app(name="Other").app
    for mine in ProviderCredential.objects.filter(app=app):
        ProviderCredential.objects.create(
            app=other, provider=mine.provider, kind=mine.kind, sealed=mine.sealed
        )
    Phones(other).ring("one")

    for _ in range(2):
        assert ends(work(Sends(other).to_everyone())) == {"accepted": 1}
    assert len(slots()) == 1
    assert ends(broadcast()) == {"capped": 1}


def test_without_a_cap_a_batch_costs_not_a_statement_more(app, phones, memory, sends, monkeypatch):
    phones.many(2)
    memory()
    work(sends.to_everyone())  # what is made once, such as a breaker, is there

    def statements():
        occurrence = sends.to_everyone()
        list(fanout.plan_batches(occurrence.pk))
        with CaptureQueriesContext(connection) as orm, raw_statements(monkeypatch) as raw:
            again(occurrence)
        return [*(q["sql"] for q in orm.captured_queries), *raw]

    without = statements()
    cap(app, 5)
    capped = statements()

    assert not [sql for sql in without if "captaken" in sql]
    assert len([sql for sql in capped if "captaken" in sql]) == 1
    assert len(capped) == len(without) + 1


def test_lowering_or_lifting_the_cap_counts_from_then_on(app, phones, memory, broadcast):
    phones.ring("one")
    memory()
    cap(app, 3)
    broadcast()
    broadcast()
    cap(app, 1)
    assert ends(broadcast()) == {"capped": 1}
    cap(app, None)
    assert ends(broadcast()) == {"accepted": 1}
    cap(app, 3)
    assert ends(broadcast()) == {"accepted": 1}  # what went out without a cap took no slot
    assert ends(broadcast()) == {"capped": 1}


def test_a_cap_lifted_after_a_batch_was_claimed_holds_nobody_back(app, phones, memory, sends):
    one = phones.ring("one").install
    memory()
    cap(app, 1)
    work(sends.to_everyone())
    list(fanout.plan_batches(sends.to_everyone().pk))
    batch = claims.take_batch("bulk", now=timezone.now())
    cap(app, None)

    assert batch.app.cap_pushes == 1
    assert capping.take_slots(batch, [one.pk]) is capping.NOBODY


def test_slots_of_a_clock_that_was_set_back_are_of_no_account(app, phones, memory, broadcast):
    phones.ring("one")
    memory()
    cap(app, 1)
    broadcast()
    age(-timedelta(days=300))

    assert ends(broadcast()) == {"accepted": 1}
    assert ends(broadcast()) == {"capped": 1}


def test_capped_ones_are_in_every_sum(app, phones, memory, broadcast):
    phones.many(2)
    memory()
    cap(app, 1)
    broadcast()
    broadcast()

    assert (tally.sums()["capped"], tally.sums()["not_conserved"]) == (2, 0)
    tally.add_finished()
    assert tally.sums() == {
        **dict.fromkeys(tally.COUNTED, 0),
        "targeted": 4,
        "accepted": 2,
        "capped": 2,
        "not_conserved": 0,
    }


def test_rows_past_every_window_are_forgotten(app, phones, memory, broadcast, monkeypatch):
    phones.many(5)
    memory()
    cap(app, 1, timedelta(days=30))
    broadcast()
    monkeypatch.setattr(capping, "SLICE", 2)
    today = timezone.now().date()

    assert capping.forget_slots(today=today + timedelta(days=31)) == 0
    assert CapTaken.objects.count() == 5
    assert capping.forget_slots(today=today + timedelta(days=32)) == 5
    assert not CapTaken.objects.exists()


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=1, minutes=30), "1 hour 30 minutes"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(days=7), "7 days"),
        (timedelta(days=2, seconds=5), "2 days 5 seconds"),
    ],
)
def test_a_window_is_said_as_people_say_it(window, said):
    assert capping.spell(window) == said
    assert capping.Capped(pushes=1, window=window).reason == f"1 push in {said} already"


INSTALLS = st.sets(st.integers(1, 2), min_size=1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), INSTALLS),
        st.tuples(st.just("again"), st.integers(1, 3)),
        st.tuples(st.just("wait"), st.integers(1, 8)),
    ),
    min_size=5,
    max_size=30,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, pushes=st.integers(1, 3), hours=st.integers(4, 12))
def test_nobody_ever_gets_more_than_the_cap_in_any_window(app, sends, steps, pushes, hours):
    """Sends, replays and time in any order, against a plain list of all that ever went out."""
    CapTaken.objects.all().delete()
    cap(app, pushes, timedelta(hours=hours))
    now, out, asked = 0, [], []
    for kind, what in steps:
        if kind == "wait":
            age(timedelta(hours=what))
            now += what
            continue
        if kind == "send":
            asked.append((Batch(occurrence=sends.to_everyone(), app=app), what))
        elif len(asked) < what:
            continue
        batch, installs = asked[-1 if kind == "send" else -what]
        capped = capping.take_slots(batch, installs).installs
        for install in installs:
            lately = had(out, install, now - hours, now)
            fits = batch.occurrence_id in lately or len(lately) < pushes
            assert (install not in capped) is fits
        out += [(i, batch.occurrence_id, now) for i in installs - capped]
    for install, _, at in out:
        assert len(had(out, install, at - hours, at)) <= pushes


def had(out, install, after, until):
    """Give the firings an install got in a window."""
    return {firing for i, firing, at in out if i == install and after < at <= until}
