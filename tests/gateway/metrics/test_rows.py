"""What the database and the broker say: bounded, kept for a moment, and true."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from crm.models import App
from delivery.commands.credentials import StoreCredential, store_credential
from delivery.models import Batch, Occurrence
from gateway import beat, progress
from gateway.metrics import rows
from simulator.identity.material import material
from tests.chaos.certificates import push_certificate


def shown(name):
    return {
        tuple(sample.labels.values()): sample.value
        for metric in rows.Rows().collect()
        for sample in metric.samples
        if sample.name == name
    }


def test_what_was_read_serves_all_who_ask_for_a_while(db, monkeypatch):
    monkeypatch.setattr(rows, "FRESH_FOR", 5.0)
    reader = rows.Rows()
    with CaptureQueriesContext(connection) as first:
        list(reader.collect())
    with CaptureQueriesContext(connection) as second:
        list(reader.collect())
    assert len(first) > 10
    assert len(second) == 0


def questions(reader):
    """Count what one scrape asks, but for the time, which is asked once a second."""
    with CaptureQueriesContext(connection) as asked:
        list(reader.collect())
    return len([query for query in asked if "clock_timestamp" not in query["sql"]])


def test_the_questions_do_not_grow_with_what_there_is(sends):
    reader = rows.Rows()
    before = questions(reader)
    for _ in range(20):
        sends.to_everyone()
    assert questions(reader) == before


def test_counts_stop_somewhere(sends, monkeypatch):
    monkeypatch.setattr(progress, "MOST", 3)
    for _ in range(5):
        sends.to_everyone()
    assert shown("gateway_occurrences")["due",] == 3


def test_firings_are_told_by_where_they_are(sends):
    ahead, late = sends.to_everyone(), sends.to_everyone()
    due = Occurrence.objects.filter
    due(pk=ahead.pk).update(due_at=timezone.now() + timedelta(days=3))
    due(pk=late.pk).update(due_at=timezone.now() - timedelta(seconds=40))
    due(pk=sends.to_everyone().pk).update(state="sending")
    due(pk=sends.to_everyone().pk).update(state="finished")
    assert shown("gateway_occurrences") == {
        ("ahead",): 1,
        ("due",): 1,
        ("planning",): 0,
        ("sending",): 1,
    }
    assert shown("gateway_occurrences_oldest_seconds")[()] == pytest.approx(40, abs=5)


def test_a_broker_that_is_away_is_told_of_and_the_rest_goes_on(db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert shown("gateway_broker_up") == {(): 0}
    assert shown("gateway_database_up") == {(): 1}


def test_since_when_nobody_has_heard_the_tick_is_told_by_the_brokers_own_clock(db, settings):
    beat.hear("tick")
    assert shown("gateway_beat_heard_seconds")["tick",] == pytest.approx(0, abs=5)
    with beat._broker(settings.REDIS_URL) as broker:
        broker.pexpire(beat.HEARD.format("tick"), beat.DAY - 90_000)
    assert shown("gateway_beat_heard_seconds")["tick",] == pytest.approx(90, abs=5)


def test_a_certificate_tells_when_it_ends_and_a_key_does_not(app: App, credentials, tmp_path):
    material(tmp_path)
    secret = push_certificate(tmp_path, ended=False)  # tomorrow
    kept = store_credential(
        StoreCredential(app=app, provider="apns", environment="sandbox", secret=secret)
    )
    [(labels, left)] = shown("gateway_credential_expiry_seconds").items()
    assert sorted(labels[:3]) == sorted([str(app.pk), str(kept.pk), "apns"])
    assert left == pytest.approx(86400, abs=120)


def test_batches_behind_a_breaker_are_counted(sends, credentials):
    from delivery.models import Breaker

    breaker = Breaker.objects.create(credential=credentials["apns"], state="open")
    Batch.objects.create(
        occurrence=sends.to_everyone(), app=sends.app, lane="bulk", token_ids=[1], breaker=breaker
    )
    assert shown("gateway_batches_held") == {(): 1}


def test_the_format_is_prometheus_own(client, db):
    families = list(text_string_to_metric_families(client.get("/metrics").content.decode()))
    assert all(family.documentation for family in families if family.name.startswith("gateway_"))
