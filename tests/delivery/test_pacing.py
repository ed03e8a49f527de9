"""Pacing as a batch meets it: a turn or a wait, and what the answers change."""

import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command
from django.utils import timezone
from redis import Redis

from delivery import dispatch, fanout, pacing
from delivery.models import Batch, Breaker, Occurrence, ProviderCredential

pytestmark = pytest.mark.django_db

PEM = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
ACCOUNT = {
    "type": "service_account",
    "project_id": "p",
    "client_email": "e",
    "private_key": PEM.decode(),
    "token_uri": "u",
}


@pytest.fixture(autouse=True)
def redis(settings, monkeypatch):
    monkeypatch.setattr(pacing, "buckets", type(pacing.buckets)())
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
        yield redis
        redis.flushdb()


@pytest.fixture
def planned(phones, sends, settings):
    """Plan a broadcast to six phones in three batches."""
    settings.BATCH_SIZE = 2
    phones.many(6)

    def plan(**said):
        occurrence = sends.to_everyone(**said)
        list(fanout.plan_batches(occurrence.pk))
        return occurrence

    return plan


def pace(pushes):
    ProviderCredential.objects.update(pace=pushes)


def work(queue="bulk"):
    while dispatch.deliver_next(queue):
        pass


def waits():
    now = timezone.now()
    waiting = Batch.objects.filter(state="waiting").order_by("next_attempt_at")
    return [(batch.next_attempt_at - now).total_seconds() for batch in waiting]


def test_what_has_no_turn_yet_waits_for_it_and_is_no_retry(planned, memory):
    provider = memory()
    pace(1)
    occurrence = planned()

    work()

    assert len(provider.sent) == 2
    first, second = waits()
    assert first <= 2.1
    assert second - first == pytest.approx(2, abs=0.3)
    for batch in Batch.objects.filter(state="waiting"):
        assert (batch.lane, batch.tries, batch.last_reason) == ("bulk", 0, "paced")
    occurrence.refresh_from_db()
    assert occurrence.pending == 4


@pytest.mark.parametrize(("provider", "rate"), [("apns", None), ("fcm", 600_000 / 60)])
def test_unless_something_is_said_only_what_has_a_quota_is_paced(credentials, provider, rate):
    assert pacing.full_rate(credentials[provider]) == rate


def test_what_is_not_paced_never_asks(planned, memory, redis):
    memory({"*": "throttled:120 accepted"})
    pace(0)

    planned()
    work()

    assert redis.keys("gateway:pace:*") == []
    assert Batch.objects.filter(last_reason="paced").count() == 0


def test_urgent_pushes_pass_bulk_that_waits(planned, memory):
    provider = memory()
    pace(2)
    planned()
    work()
    assert len(provider.sent) == 2
    planned(lane="urgent")

    dispatch.deliver_next("urgent")

    assert len(provider.sent) == 4


def test_what_would_wait_past_its_time_expires(planned, memory):
    memory()
    pace(1)
    occurrence = planned(time_to_live=timedelta(seconds=3))

    work()

    occurrence.refresh_from_db()
    assert (occurrence.accepted, occurrence.expired, occurrence.pending) == (2, 2, 2)


def test_a_quota_of_the_project_keeps_everything_back_as_long_as_was_asked(planned, memory):
    provider = memory({"*": "throttled:120 accepted"})
    pace(1000)
    occurrence = planned()

    work()

    assert len(provider.sent) == 2
    assert all(115 < wait < 155 for wait in waits())
    [credential] = ProviderCredential.objects.filter(provider="apns")
    assert pacing.rates([credential]) == {credential.pk: 0}
    occurrence.refresh_from_db()
    assert occurrence.pending == 6


def test_a_quota_of_one_device_keeps_back_that_device_alone(planned, memory, monkeypatch):
    provider = memory({"apns-apns-0": "throttled:120 accepted"})
    answer = provider._answer
    monkeypatch.setattr(provider, "_answer", lambda *asked: answer(*asked)._replace(wide=False))
    pace(1000)
    occurrence = planned()

    work()

    occurrence.refresh_from_db()
    assert (occurrence.accepted, occurrence.pending) == (5, 1)


def test_an_overloaded_provider_is_sent_half_as_much(planned, memory, caplog):
    memory({"*": "unavailable:10 accepted"})
    pace(1000)
    planned()

    work()

    [credential] = ProviderCredential.objects.filter(provider="apns")
    assert pacing.rates([credential])[credential.pk] == pytest.approx(500, abs=10)
    assert "slows to 500 a second: scripted" in caplog.text


def test_a_few_that_are_refused_as_overload_slow_nothing(planned, memory, caplog):
    memory({"apns-apns-0": "unavailable:10 accepted"})
    pace(1000)
    planned()

    work()

    assert "slows" not in caplog.text


def answered(seconds, *, count=1000):
    clock = pacing.Clock()
    clock._began_at -= seconds
    clock.count(count)
    return clock


def test_answers_that_come_ever_slower_slow_it_down(credentials, caplog):
    credential = credentials["fcm"]
    for _ in range(3):
        pacing.heed(credential, answered(0.2), [])
    pacing.heed(credential, answered(3, count=10), [])  # too few to tell
    assert caplog.text == ""

    pacing.heed(credential, answered(3), [])

    assert "slows to 8000 a second: half of the answers took 3.0 s" in caplog.text


def test_the_median_is_when_half_of_the_answers_were_there():
    clock = answered(1, count=4)
    clock._began_at -= 1
    clock.count(4)
    clock._began_at -= 90
    clock.count(1)

    assert clock.median() == pytest.approx(2, abs=0.1)


def test_while_redis_is_away_everything_goes_out(planned, memory, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    memory({"*": "throttled:1 accepted"})
    pace(1)
    occurrence = planned()

    work()
    Batch.objects.update(next_attempt_at=timezone.now())
    work()

    occurrence.refresh_from_db()
    assert (occurrence.accepted, occurrence.state) == (6, Occurrence.State.FINISHED)


@pytest.fixture
def stored(app, tmp_path):
    """Store a credential with the command, and give what became of it."""
    account = tmp_path / "account.json"
    account.write_text(json.dumps(ACCOUNT))

    def store(*said):
        call_command("set_credential", str(app.pk), "fcm", str(account), *said)
        return ProviderCredential.objects.get(app=app, provider="fcm")

    return store


@pytest.mark.parametrize(
    ("said", "kept", "rate"),
    [([], None, 10_000), (["--pace", "0"], 0, None), (["--pace", "250"], 250, 250)],
)
def test_an_operator_sets_the_pace(stored, said, kept, rate):
    credential = stored(*said)

    assert (credential.pace, pacing.full_rate(credential)) == (kept, rate)


def test_a_credential_stored_anew_keeps_its_pace_until_another_is_said(stored):
    stored("--pace", "250")

    assert stored().pace == 250
    assert stored("--pace", "provider").pace is None


def test_two_apps_of_one_project_share_its_quota(app, stored):
    ours = stored("--pace", "100")
    theirs = ProviderCredential(provider="fcm", facts={"project_id": "p"}, pace=100, pk=ours.pk + 1)
    other = ProviderCredential(provider="fcm", facts={"project_id": "q"}, pace=100, pk=ours.pk + 2)

    pacing.buckets.heed(pacing.bucket_of(ours), rate=100, wait=60, overloaded=False, median=-1.0)

    assert pacing.rates([ours, theirs, other]) == {ours.pk: 0, theirs.pk: 0}


def test_a_credential_that_names_no_project_has_a_bucket_of_its_own():
    projects = ({"project_id": ""}, {}, {"project_id": ""})
    credentials = [
        ProviderCredential(provider="fcm", facts=f, pk=n) for n, f in enumerate(projects)
    ]

    assert len({pacing.bucket_of(credential) for credential in credentials}) == len(projects)


def test_two_credentials_of_apples_have_nothing_in_common():
    credentials = [ProviderCredential(provider="apns", facts={"topic": "t"}, pk=n) for n in (1, 2)]

    assert pacing.bucket_of(credentials[0]) != pacing.bucket_of(credentials[1])


@pytest.mark.parametrize("said", ["-1", "fast", "1000001"])
def test_a_pace_that_is_none_is_refused(stored, said):
    with pytest.raises(CommandError, match="--pace"):
        stored(f"--pace={said}")


def test_a_probe_that_has_no_turn_is_left_to_another_worker(planned, memory):
    planned()
    provider = memory({"*": "misconfigured"})
    work()
    pace(1)
    credential = ProviderCredential.objects.get(provider="apns")
    pacing.buckets.heed(
        pacing.bucket_of(credential), rate=1, wait=60, overloaded=False, median=-1.0
    )
    provider.sent.clear()
    Breaker.objects.update(next_probe_at=timezone.now())
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))

    dispatch.deliver_next("bulk")

    found = Breaker.objects.get()
    assert (found.state, found.next_probe_at <= timezone.now()) == ("open", True)
    assert not provider.sent
    assert Batch.objects.filter(last_reason="paced").exists()
