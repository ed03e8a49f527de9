"""Alive, ready, metrics: true to the rows, bounded, and silent about what is nobody's business."""

import re
import socket
import threading
import time
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from delivery import pacing
from delivery.models import Batch, Occurrence
from delivery.providers.contract import Outcome, Verdict
from gateway import health, progress


@pytest.fixture
def batch(sends):
    """Store a batch of a new broadcast, whose occurrence is under way."""

    def stored(**members):
        occurrence = sends.to_everyone()
        Occurrence.objects.filter(pk=occurrence.pk).update(state=Occurrence.State.SENDING)
        return Batch.objects.create(
            **{
                "occurrence": occurrence,
                "app": sends.app,
                "transport": "apns",
                "environment": "production",
                "topic": "t",
                "lane": "bulk",
                "token_ids": [1],
                **members,
            }
        )

    return stored


def ago(**time_) -> object:
    return timezone.now() - timedelta(**time_)


def stalled() -> float:
    return progress.stalled_for(timezone.now()).total_seconds()


# -- alive


def test_alive_asks_nobody(client, settings, django_db_blocker):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with django_db_blocker.block():
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


# -- ready


@pytest.mark.django_db(transaction=True)
def test_ready_when_database_broker_and_work_are_well(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": "ok", "broker": "ok", "progress": "ok"},
    }


@pytest.mark.django_db(transaction=True)
def test_not_ready_while_due_work_waits_and_nobody_is_at_it(client, sends):
    occurrence = sends.to_everyone()
    Occurrence.objects.filter(pk=occurrence.pk).update(due_at=ago(minutes=5))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "ok"
    assert re.search(r"waited 30\d s", answer.json()["checks"]["progress"])


@pytest.mark.django_db(transaction=True)
def test_a_silent_broker_is_named_within_the_deadline(client, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, never answers
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        started = time.monotonic()
        answer = client.get("/readyz")
    assert time.monotonic() - started < health.CHECK_DEADLINE + 2
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] == "failed"
    assert answer.json()["checks"]["database"] == "ok"


@pytest.mark.django_db(transaction=True)
def test_a_check_that_hangs_is_given_up_and_not_started_twice(client, monkeypatch):
    release, started = threading.Event(), []

    def hang():
        started.append(1)
        release.wait(10)

    monkeypatch.setattr(health, "CHECK_DEADLINE", 0.1)
    monkeypatch.setattr(health, "CHECKS", {"slow": hang})
    try:
        for _ in range(3):
            answer = client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["checks"] == {"slow": "no answer in time"}
        assert started == [1]
    finally:
        release.set()
        for thread in threading.enumerate():
            if thread.name == "readyz slow":
                thread.join(5)


@pytest.mark.django_db(transaction=True)
def test_what_went_wrong_is_logged_and_not_shown(client, monkeypatch, caplog):
    def fail():
        raise DatabaseError("password of db.internal")

    monkeypatch.setattr(health, "CHECKS", {"database": fail})
    answer = client.get("/readyz")
    assert answer.json()["checks"] == {"database": "failed"}
    assert "db.internal" not in answer.content.decode()
    assert "db.internal" in caplog.text


def test_missing_migrations_are_noticed(db):
    health.check_database()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'delivery'")
        with pytest.raises(health.Unready, match="migrations"):
            health.check_database()
        transaction.set_rollback(True)


# -- progress


def test_nothing_to_do_is_no_stall(db):
    assert stalled() == 0


def test_work_that_is_not_due_yet_is_no_stall(batch, sends):
    batch(next_attempt_at=timezone.now() + timedelta(hours=1))
    later = sends.to_everyone()
    Occurrence.objects.filter(pk=later.pk).update(due_at=timezone.now() + timedelta(hours=1))
    assert stalled() == 0


def test_the_oldest_waiting_batch_tells_how_long_work_waits(batch):
    batch(next_attempt_at=ago(seconds=10))
    batch(next_attempt_at=ago(seconds=100))
    assert stalled() == pytest.approx(100, abs=5)


def test_a_batch_whose_worker_was_lost_waits_since_its_lease_ended(batch):
    batch(state=Batch.State.SENDING, lease_until=ago(seconds=90), next_attempt_at=ago(hours=1))
    assert stalled() == pytest.approx(90, abs=5)


def test_a_long_queue_somebody_works_on_is_no_stall(batch):
    batch(next_attempt_at=ago(minutes=10))
    batch(state=Batch.State.SENDING, lease_until=timezone.now() + timedelta(seconds=10))
    assert stalled() == 0


def test_planning_is_work(batch, sends):
    batch(next_attempt_at=ago(minutes=10))
    planned = sends.to_everyone()
    Occurrence.objects.filter(pk=planned.pk).update(
        state=Occurrence.State.PLANNING, lease_until=timezone.now() + timedelta(seconds=10)
    )
    assert stalled() == 0


def test_an_occurrence_whose_planner_was_lost_waits(sends):
    planned = sends.to_everyone()
    Occurrence.objects.filter(pk=planned.pk).update(
        state=Occurrence.State.PLANNING, lease_until=ago(seconds=70)
    )
    assert stalled() == pytest.approx(70, abs=5)


def test_finished_work_is_no_stall(batch, sends):
    batch(state=Batch.State.DONE, next_attempt_at=ago(hours=1), lease_until=ago(hours=1))
    over = sends.to_everyone()
    Occurrence.objects.filter(pk=over.pk).update(state="finished", due_at=ago(hours=1))
    assert stalled() == 0


# -- metrics


def samples(client) -> dict[tuple[str, str], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
        if sample.name.startswith("gateway_") and "http" not in sample.name
    }


def test_metrics_are_there_before_anything_happened(client, db):
    found = samples(client)
    assert found["gateway_database_up", ""] == 1
    assert found["gateway_batches_waiting", "urgent"] == 0
    assert found["gateway_conservation_violations", ""] == 0


def test_metrics_say_what_the_rows_say(client, batch, sends):
    batch(lane="urgent", next_attempt_at=ago(seconds=30))
    batch(lane="urgent", next_attempt_at=ago(seconds=20))
    batch(lane="bulk", next_attempt_at=timezone.now() + timedelta(hours=1))
    over = sends.to_everyone()
    Occurrence.objects.filter(pk=over.pk).update(
        state="finished",
        targeted=9,
        accepted=4,
        rejected=2,
        unregistered=1,
        uncertain=2,
        replayed=3,
    )
    Occurrence.objects.filter(pk=sends.to_everyone().pk).update(state="skipped")
    found = samples(client)
    assert found["gateway_batches_waiting", "urgent"] == 2
    assert found["gateway_batches_waiting", "bulk"] == 0
    assert found["gateway_batches_oldest_seconds", "urgent"] == pytest.approx(30, abs=5)
    assert found["gateway_occurrences_unfinished", ""] == 3
    verdicts = {name: found["gateway_pushes_total", name] for name in progress.VERDICTS}
    assert verdicts == {
        "accepted": 4,
        "rejected": 2,
        "unregistered": 1,
        "expired": 0,
        "cancelled": 0,
        "capped": 0,
        "uncertain": 2,
    }
    assert found["gateway_pushes_targeted_total", ""] == 9
    assert found["gateway_pushes_replayed_total", ""] == 3
    assert found["gateway_conservation_violations", ""] == 0


def test_metrics_say_how_fast_a_paced_credential_may_send_now(client, credentials):
    fcm = credentials["fcm"]
    label = f"{fcm.app_id},{fcm.pk},fcm"
    assert ("gateway_pace_per_second", label) not in samples(client)

    batch = Batch(credential=fcm, lane="bulk")
    assert pacing.wait_for_turn(batch, pushes=1000) is None
    assert samples(client)["gateway_pace_per_second", label] == 10_000

    pacing.heed(fcm, pacing.Clock(), [Outcome(1, Verdict.THROTTLED, retry_after=60)])
    assert samples(client)["gateway_pace_per_second", label] == 0


def test_a_finished_firing_with_pushes_unaccounted_for_is_a_violation(client, sends):
    over = sends.to_everyone()
    Occurrence.objects.filter(pk=over.pk).update(state="finished", targeted=5, accepted=4)
    assert samples(client)["gateway_conservation_violations", ""] == 1
    Occurrence.objects.filter(pk=over.pk).update(state="sending")
    assert samples(client)["gateway_conservation_violations", ""] == 0


def test_without_a_database_metrics_still_answer(client, db, monkeypatch):
    def fail():
        raise DatabaseError

    monkeypatch.setattr(progress, "bound_queries", fail)
    found = samples(client)
    assert found["gateway_database_up", ""] == 0
    assert found["gateway_broker_up", ""] == 1, "what answers is told of"
    assert not any(name.startswith("gateway_batches_waiting") for name, _ in found)


def test_a_slow_query_is_cut_short(db, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", timedelta(milliseconds=50))
    with transaction.atomic(), connection.cursor() as cursor:
        progress.bound_queries()
        with pytest.raises(DatabaseError, match="timeout"):
            cursor.execute("SELECT pg_sleep(10)")
        transaction.set_rollback(True)


def test_one_check_may_be_asked_for_alone(client, transactional_db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz?only=database")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"database": "ok"})
    assert client.get("/readyz").status_code == 503


def test_a_check_nobody_knows_is_refused(client):
    answer = client.get("/readyz?only=database&only=weather")
    assert (answer.status_code, answer.json()) == (400, {"error": "no such check: weather"})
