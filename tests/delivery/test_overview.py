"""How an app fares as a whole, from sums nobody has to add up again."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm.commands import count_tokens as counting
from crm.commands.apps import create_app
from crm.commands.count_tokens import count_tokens
from crm.models import DeviceToken, KeptAnswer, TokenCount
from delivery import dispatch, fanout, overview, tally, tasks
from delivery.health import health, quantile, spells
from delivery.models import Breaker, HourTally, Occurrence, Open, Tally
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LONG_AGO = timezone.now() - 365 * DAY


@pytest.fixture
def send(sends):
    def send():
        occurrence = sends.to_everyone()
        list(fanout.plan_batches(occurrence.pk))
        while dispatch.deliver_next("bulk"):
            pass
        health.write()
        return Occurrence.objects.get(pk=occurrence.pk)

    return send


def total(app, name, *, back=DAY):
    shares = overview.sends([app.pk], now=timezone.now(), back=back)
    return sum(getattr(share, name) for share in shares)


def test_pushes_are_counted_once_before_and_after_they_are_added_up(app, phones, memory, send):
    phones.many(5)
    memory({"apns-apns-0": "rejected"})
    send()

    before = total(app, "accepted"), total(app, "rejected"), total(app, "pending")
    tally.add_finished()
    after = total(app, "accepted"), total(app, "rejected"), total(app, "pending")
    tally.add_finished()

    assert before == after == (4, 1, 0)
    assert HourTally.objects.get().targeted == Tally.objects.get().targeted == 5


def test_what_the_cap_held_back_is_a_part_of_the_whole(app, phones, memory, send):
    phones.many(3)
    memory()
    app.cap_pushes = 1
    app.save()
    send()
    send()

    for _ in range(2):
        parts = ("targeted", "accepted", "capped", "pending")
        assert [total(app, name) for name in parts] == [6, 3, 3, 0]
        tally.add_finished()
    assert HourTally.objects.get().capped == Tally.objects.get().capped == 3


def test_long_times_are_shown_day_by_day(app, phones, memory, send):
    phones.many(2)
    memory()
    occurrence = send()
    Occurrence.objects.filter(pk=occurrence.pk).update(started_at=timezone.now() - 5 * DAY)
    tally.add_finished()

    shares = overview.sends([app.pk], now=timezone.now(), back=7 * DAY)

    assert len(shares) == 7
    assert [share.accepted for share in shares] == [0, 2, 0, 0, 0, 0, 0]


def test_opens_are_added_a_minute_after_they_were_seen(app, phones, memory, send, monkeypatch):
    install = phones.ring("one").install
    memory()
    notification = send().notification
    Open.objects.create(
        notification=notification, install=install, user_uid="one", opened_at=timezone.now()
    )
    now = timezone.now()
    for minutes in (0, 2, 4):
        monkeypatch.setattr(tally.clock, "now", lambda at=now + timedelta(minutes=minutes): at)
        tally.add_opens()

    assert total(app, "opened") == 1


def test_opens_that_come_while_others_are_added_are_added_later(
    app, phones, memory, send, monkeypatch
):
    install = phones.ring("one").install
    memory()
    now = timezone.now()
    for minutes in range(8):
        notification = send().notification
        Open.objects.create(
            notification=notification, install=install, user_uid="one", opened_at=now
        )
        monkeypatch.setattr(tally.clock, "now", lambda at=now + timedelta(minutes=minutes): at)
        tally.add_opens()
    for minutes in (9, 11, 13):
        monkeypatch.setattr(tally.clock, "now", lambda at=now + timedelta(minutes=minutes): at)
        tally.add_opens()

    assert sum(HourTally.objects.values_list("opened", flat=True)) == 8


def test_tokens_are_counted_once_an_hour_by_state(app, phones):
    phones.many(3)
    phones.ring("off").install.device_tokens.update(enabled=False)
    gone = phones.ring("gone")
    DeviceToken.objects.filter(pk=gone.pk).update(state="dead")
    now = timezone.now()

    assert count_tokens(now=now)
    assert not count_tokens(now=now + timedelta(minutes=10))
    DeviceToken.objects.filter(pk=gone.pk).delete()
    assert count_tokens(now=now + timedelta(minutes=70))

    found = overview.tokens([app.pk], today=(now + timedelta(minutes=70)).date())
    assert found.now == {("apns", "alive"): 3, ("apns", "disabled"): 1}
    assert TokenCount.objects.filter(day=found.counted_at.date(), state="dead").count() == 0


def test_a_count_that_takes_too_long_is_given_up_and_stops_nothing_else(phones, monkeypatch):
    phones.many(3)
    monkeypatch.setattr(counting, "PATIENCE", timedelta(milliseconds=50))
    slow = counting.COUNT.replace("FROM crm_devicetoken", "FROM crm_devicetoken, pg_sleep(5)")
    monkeypatch.setattr(counting, "COUNT", slow)
    KeptAnswer.objects.create(
        app=phones.app, door="d", key="k", mark=b"", status=200, sealed=b"", created_at=LONG_AGO
    )

    tasks.upkeep()

    assert not TokenCount.objects.exists()
    assert not KeptAnswer.objects.exists()


def test_a_credential_is_told_of_with_what_its_provider_answered(app, phones, memory, send):
    phones.many(4)
    memory({"apns-apns-0": "unregistered"})
    send()

    [apns, fcm] = overview.provider_health([app.pk], now=timezone.now())

    assert (apns.credential.provider, fcm.credential.provider) == ("apns", "fcm")
    assert apns.answers == {"accepted": 3, "unregistered": 1}
    assert apns.accept_rate == 0.75
    assert apns.median_ms is not None
    assert fcm.accept_rate is None
    assert fcm.median_ms is None


def test_a_credential_with_an_open_breaker_comes_first(app, credentials):
    Breaker.objects.create(
        credential=credentials["fcm"],
        environment="production",
        topic="",
        state="open",
        reason="SENDER_ID_MISMATCH",
        opened_at=timezone.now(),
    )

    [first, _] = overview.provider_health([app.pk], now=timezone.now())

    assert [breaker.reason for breaker in first.breakers] == ["SENDER_ID_MISMATCH"]


def test_quantiles_are_upper_bounds_of_what_was_seen(credentials):
    now = timezone.now()
    pk = credentials["apns"].pk
    for first in [0.004] * 18 + [0.3, 4.0]:
        health.note(pk, {"accepted": 1}, first=first)
    health.write()

    found = spells([pk], now=now + timedelta(seconds=1), back=timedelta(minutes=10))[pk]

    assert quantile(found, 0.5) == 10
    assert quantile(found, 0.95) == 500
    assert quantile(found, 1) == 5000


def test_what_was_noted_is_written_within_a_second_by_itself(credentials, monkeypatch):
    monkeypatch.setattr("delivery.health.EVERY", 0.05)
    health.write()  # what other tests have noted
    pk = credentials["apns"].pk
    for _ in range(3):
        health.note(pk, {"accepted": 1}, first=0.01)

    def asked():
        found = spells([pk], now=timezone.now(), back=timedelta(minutes=10))[pk]
        return sum(spell.asked for spell in found) == 3

    wait_until("written", asked, seconds=5)


def test_late_work_is_told_by_lane_and_app(app, phones, sends):
    phones.many(3)
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))

    [late] = overview.late_work([app.pk], now=timezone.now() + timedelta(minutes=5))

    assert (late.lane, late.app_id, late.batches) == ("bulk", app.pk, 1)
    assert late.oldest >= timedelta(minutes=5)


def test_what_is_under_way_is_told_and_other_apps_are_not(app, phones, sends):
    phones.many(3)
    list(fanout.plan_batches(sends.to_everyone().pk))
    other = create_app(name="Other").app

    [one] = overview.running([app.pk], now=timezone.now())

    assert one.occurrence.targeted == 3
    assert overview.running([other.pk], now=timezone.now()) == []
    assert total(other, "targeted") == 0
    assert overview.late_work([other.pk], now=timezone.now()) == []
    assert overview.provider_health([other.pk], now=timezone.now()) == []
