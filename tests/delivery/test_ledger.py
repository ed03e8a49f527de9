from datetime import date, timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from delivery import fanout, ledger
from delivery.models import Batch, Delivery, Occurrence

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 22)


def partitions():
    return sorted(ledger.partitions())


def row(day, verdict="accepted"):
    return Delivery(day=day, occurrence_id=1, token_id=1, verdict=verdict, at=timezone.now())


def partition_of(day):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM delivery_delivery WHERE day = %s", [day]
        )
        return cursor.fetchone()[0]


def test_partitions_are_made_ahead_once():
    ledger.keep_partitions(today=TODAY)
    ledger.keep_partitions(today=TODAY)

    assert partitions() == [TODAY + timedelta(days=n) for n in range(4)]


def test_a_row_goes_to_its_days_partition():
    ledger.keep_partitions(today=TODAY)
    row(TODAY).save(force_insert=True)

    assert partition_of(TODAY) == "delivery_delivery_20261122"


def test_a_row_of_a_day_without_partition_is_kept_all_the_same():
    row(date(2001, 1, 1)).save(force_insert=True)
    ledger.keep_partitions(today=date(2001, 1, 1))

    assert partition_of(date(2001, 1, 1)) == "delivery_delivery_default"


def test_days_past_their_retention_are_dropped_whole(settings):
    settings.LEDGER_RETENTION = timedelta(days=30)
    ledger.keep_partitions(today=TODAY)
    row(TODAY).save(force_insert=True)

    ledger.keep_partitions(today=TODAY + timedelta(days=30))
    assert Delivery.objects.exists()

    ledger.keep_partitions(today=TODAY + timedelta(days=31))
    assert not Delivery.objects.exists()
    assert TODAY not in partitions()


def test_a_second_outcome_for_one_device_is_impossible():
    row(TODAY).save(force_insert=True)

    with pytest.raises(IntegrityError), transaction.atomic():
        row(TODAY, "rejected").save(force_insert=True)


def test_only_final_verdicts_enter_the_ledger():
    with pytest.raises(IntegrityError), transaction.atomic():
        row(TODAY, "throttled").save(force_insert=True)


def test_rows_without_a_partition_of_their_own_end_with_their_time_too(settings):
    settings.LEDGER_RETENTION = timedelta(days=30)
    row(TODAY).save(force_insert=True)

    ledger.keep_partitions(today=TODAY + timedelta(days=30))
    assert partition_of(TODAY) == "delivery_delivery_default"

    ledger.keep_partitions(today=TODAY + timedelta(days=31))
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("state", ["due", "planning", "sending"])
@pytest.mark.parametrize("end", ["finished", "cancelled", "skipped"])
def test_what_an_unfinished_firing_has_sent_is_kept_past_its_time(sends, settings, state, end):
    settings.LEDGER_RETENTION = timedelta(days=1)
    ledger.keep_partitions(today=TODAY)
    occurrence = sends.to_everyone()
    Occurrence.objects.update(state=state, ledger_day=TODAY)
    row(TODAY).save(force_insert=True)
    row(TODAY + timedelta(days=9)).save(force_insert=True)

    ledger.keep_partitions(today=TODAY + timedelta(days=20))
    assert Delivery.objects.count() == 2

    Occurrence.objects.filter(pk=occurrence.pk).update(state=end)
    ledger.keep_partitions(today=TODAY + timedelta(days=20))
    assert not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_upkeep_gives_way_to_whoever_reads_the_ledger(settings, monkeypatch, caplog):
    monkeypatch.setattr(ledger, "PATIENCE", 0.2)
    settings.LEDGER_RETENTION = timedelta(days=30)
    ledger.keep_partitions(today=TODAY)
    url = connection.get_connection_params()
    del url["context"], url["cursor_factory"]
    with psycopg.connect(**url) as reader:
        reader.execute("SELECT * FROM delivery_delivery")
        ledger.keep_partitions(today=TODAY + timedelta(days=31))
    assert TODAY in partitions()
    assert "stay as they are" in caplog.text

    ledger.keep_partitions(today=TODAY + timedelta(days=31))
    assert TODAY not in partitions()
    for day in partitions():
        ledger._drop_partition(day)


@pytest.mark.parametrize(
    ("state", "age", "kept"),
    [("finished", 91, False), ("finished", 90, True), ("sending", 91, True)],
)
def test_batches_go_with_the_ledger_they_led_to(phones, sends, state, age, kept):
    phones.ring("one")
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    Occurrence.objects.update(state=state, ledger_day=TODAY - timedelta(days=age))

    ledger.forget_batches(today=TODAY)

    assert Batch.objects.exists() is kept
