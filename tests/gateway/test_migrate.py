"""Migrations on a gateway that is running, and from one release to the next."""

import io
import os
import subprocess
import sys
import time
import uuid

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from psycopg.errors import CheckViolation, LockNotAvailable

from devstack import binaries
from devstack.migration_rules import BASELINE
from devstack.place import ROOT
from gateway.database import base
from gateway.management.commands import migrate


@pytest.fixture
def other(transactional_db):
    """Give a second connection to the test's database."""
    url = connection.get_connection_params()
    del url["context"], url["cursor_factory"]
    with psycopg.connect(**url) as other:
        yield other


@pytest.fixture
def one_behind(transactional_db, monkeypatch):
    """Take the last migration of an app back; whatever happens, it is there again afterwards."""
    monkeypatch.setattr(base, "MIGRATION_PATIENCE", 0.2)
    monkeypatch.setattr(migrate, "PAUSE", 0.2)
    call_command("migrate", "delivery", "0002", verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def test_a_migration_does_not_hold_others_up_for_long(other, monkeypatch):
    monkeypatch.setattr(base, "MIGRATION_PATIENCE", 0.2)
    other.execute("SELECT count(*) FROM crm_app")  # and its transaction stays open
    began = time.monotonic()
    with pytest.raises(OperationalError) as refused, connection.schema_editor() as editor:
        editor.execute("ALTER TABLE crm_app ADD COLUMN x text")
    assert isinstance(refused.value.__cause__, LockNotAvailable)
    assert time.monotonic() - began < 5


def test_what_is_done_concurrently_has_all_the_time(transactional_db):
    with connection.schema_editor(atomic=False), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


class FreesTheTable(io.StringIO):
    """Takes what a command says, and ends the transaction that held it up once it says so."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def write(self, text):
        if "somebody holds a table" in text:
            self.other.rollback()
        return super().write(text)


def test_it_tries_again_until_the_table_is_free(one_behind, other):
    other.execute("LOCK TABLE crm_app IN ROW EXCLUSIVE MODE")
    said = FreesTheTable(other)
    call_command("migrate", verbosity=0, stdout=said)

    assert said.getvalue().count("somebody holds a table") == 1
    with connection.cursor() as cursor:
        assert "delivery_tally" in connection.introspection.table_names(cursor)


def test_it_gives_up_in_the_end(one_behind, other, monkeypatch):
    monkeypatch.setattr(migrate, "TRIES", 2)
    other.execute("LOCK TABLE crm_app IN ROW EXCLUSIVE MODE")
    with pytest.raises(OperationalError):
        call_command("migrate", verbosity=0)
    other.rollback()


@pytest.fixture
def databases():
    """Give the addresses of two empty databases beside the test's."""
    names = [f"upgrade_{uuid.uuid4().hex[:8]}" for _ in range(2)]
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as server:
        for name in names:
            server.execute(f"CREATE DATABASE {name}")
        yield [f"{url.rpartition('/')[0]}/{name}" for name in names]
        for name in names:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(url, *words):
    subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        capture_output=True,
    )


def schema_of(url):
    done = subprocess.run(
        [binaries.postgres_bin() / "pg_dump", "--schema-only", "--no-owner", url],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = (line.rstrip(",") for line in done.stdout.splitlines())
    return sorted(line for line in lines if line and not line.startswith(("--", "\\")))


SENT = """
WITH o AS (
    INSERT INTO delivery_occurrence
           (notification_id, due_at, expires_at, ledger_day, state, targeted, accepted)
    SELECT id, now(), now(), '2026-01-31', 'finished', 1, 1 FROM delivery_notification
    RETURNING id
)
INSERT INTO delivery_delivery (day, occurrence_id, token_id, verdict, at)
SELECT '2026-01-31', id, 1, %(verdict)s, now() FROM o
"""


def test_the_first_release_with_its_data_comes_to_the_same_schema(databases):
    upgraded, fresh = databases
    for app, last in BASELINE.items():
        if last:
            manage(upgraded, "migrate", app, last)
    with psycopg.connect(upgraded) as first_release:
        first_release.execute("INSERT INTO crm_app (name, api_key) VALUES ('Old', 'a key')")
        first_release.execute(
            """INSERT INTO delivery_notification (app_id, source, message, audience, schedule,
                      filters, lane, time_to_live)
               SELECT id, 'kumulos', '{}', '{}', '{}', '{}', 'bulk', '1 hour' FROM crm_app"""
        )
        first_release.execute(SENT, {"verdict": "accepted"})
    manage(upgraded, "migrate")
    manage(fresh, "migrate")

    assert schema_of(upgraded) == schema_of(fresh)
    with psycopg.connect(upgraded) as now:
        assert now.execute("SELECT name FROM crm_app").fetchall() == [("Old",)]
        counted = "SELECT targeted, accepted, capped FROM delivery_occurrence"
        assert now.execute(counted).fetchall() == [(1, 1, 0)]


PARTITION = """
CREATE TABLE delivery_delivery_{day} PARTITION OF delivery_delivery
   FOR VALUES FROM ('{day}') TO ('{following}')
"""
WRITE = "INSERT INTO delivery_delivery (day, occurrence_id, token_id, verdict, at) VALUES (%s)"
DAYS = ("2026-01-30", "2026-01-31", "2026-02-01", "1999-12-31")  # before, default, after, default


def test_a_ledger_with_partitions_takes_the_verdict_added_later(databases):
    """Those there before, those made afterwards and the one for the rest, all of them checked."""
    url = databases[0]
    manage(url, "migrate", "delivery", "0010")
    with psycopg.connect(url) as before:
        before.execute(PARTITION.format(day="20260130", following="20260131"))
        before.execute(WRITE % "'2026-01-30', 1, 1, 'accepted', now()")
        before.execute(WRITE % "'1999-12-31', 1, 1, 'expired', now()")
    manage(url, "migrate")

    with psycopg.connect(url, autocommit=True) as now:
        now.execute(PARTITION.format(day="20260201", following="20260202"))
        for day in DAYS:
            now.execute(WRITE % f"'{day}', 2, 2, 'capped', now()")
            with pytest.raises(CheckViolation):
                now.execute(WRITE % f"'{day}', 3, 3, 'lost', now()")
        unchecked = "SELECT conname, conrelid::regclass FROM pg_constraint WHERE NOT convalidated"
        assert now.execute(unchecked).fetchall() == []
        found = "SELECT verdict, count(*) FROM delivery_delivery GROUP BY 1 ORDER BY 1"
        assert now.execute(found).fetchall() == [("accepted", 1), ("capped", 4), ("expired", 1)]

    manage(url, "migrate", "delivery", "0011")  # and back, without a row of the kind
    with psycopg.connect(url, autocommit=True) as back:
        back.execute("DELETE FROM delivery_delivery WHERE verdict = 'capped'")
    manage(url, "migrate", "delivery", "0010")
    with psycopg.connect(url, autocommit=True) as back, pytest.raises(CheckViolation):
        back.execute(WRITE % "'2026-01-30', 2, 2, 'capped', now()")
