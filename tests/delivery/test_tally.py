"""Totals over all firings: the same as if they were added up, at a price that does not grow."""

import threading

import pytest
from django.db import connection

from delivery import tally
from delivery.models import Occurrence, Tally


@pytest.fixture
def fired(sends):
    """Store a firing with these members."""

    def stored(**members):
        occurrence = sends.to_everyone()
        Occurrence.objects.filter(pk=occurrence.pk).update(**members)
        return occurrence

    return stored


DONE = {"state": "finished", "targeted": 5, "accepted": 3, "rejected": 1, "uncertain": 1}


def test_nothing_sums_up_to_nothing(db):
    assert set(tally.sums().values()) == {0}


def test_the_sums_are_the_same_before_and_after_they_are_added(fired):
    fired(**DONE, replayed=2)
    fired(**DONE)
    fired(state="sending", targeted=10, accepted=4)
    fired(state="planning", targeted=7)
    fired(state="skipped")
    before = tally.sums()
    assert (before["targeted"], before["accepted"], before["replayed"]) == (27, 10, 2)
    tally.add_finished()
    tally.add_finished()
    assert tally.sums() == before
    assert Tally.objects.get().occurrences == 2


def test_what_finishes_later_is_added_once(fired):
    late = fired(state="sending", targeted=5, accepted=3)
    tally.add_finished()
    Occurrence.objects.filter(pk=late.pk).update(**DONE)
    tally.add_finished()
    tally.add_finished()
    assert tally.sums()["targeted"] == 5
    assert Tally.objects.get().targeted == 5


def test_what_does_not_add_up_is_seen_until_it_does(fired):
    broken = fired(**{**DONE, "targeted": 6})
    fired(**DONE)
    tally.add_finished()
    assert tally.sums()["not_conserved"] == 1
    Occurrence.objects.filter(pk=broken.pk).update(targeted=5)
    assert tally.sums()["not_conserved"] == 0
    tally.add_finished()
    assert tally.sums()["targeted"] == 10
    assert Tally.objects.get().occurrences == 2


@pytest.mark.django_db(transaction=True)
def test_two_at_once_add_nothing_twice(fired, monkeypatch):
    monkeypatch.setattr(tally, "AT_ONCE", 3)
    for _ in range(20):
        fired(**DONE)

    def add():
        try:
            tally.add_finished()
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tally.add_finished()
    assert Tally.objects.get().targeted == 100
    assert tally.sums()["targeted"] == 100


def test_finished_firings_are_not_read_again(fired, db):
    """The one statement goes along partial indexes, whatever else is in the table."""
    for _ in range(3):
        fired(**DONE)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN " + tally.SUMS)
        plan = "\n".join(row for (row,) in cursor.fetchall())
    assert "occurrence_untallied" in plan
    assert "occurrence_sending" in plan
    assert "occurrence_unplanned" in plan
    assert "Seq Scan on delivery_occurrence" not in plan
