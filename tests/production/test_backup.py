"""A dump taken while pushes go out is restored into another database, and is whole there."""

import os
import subprocess
import sys

import psycopg
import pytest

from devstack import binaries
from tests.journeys.stack import Stack, wait_until
from tests.production import files

pytestmark = pytest.mark.long

PUSHES = 3_000


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("backup"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def environ():
    return {**os.environ, "PATH": f"{binaries.postgres_bin()}:{os.environ['PATH']}"}


def script(name, *words):
    return subprocess.run(
        [files.DOCKER / name, *words], env=environ(), capture_output=True, text=True, check=False
    )


def manage(stack, url, *words):
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=stack.folder,
        env={**environ(), **stack.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def restored(running, tmp_path_factory):
    """Give the address of a new database, restored from a dump taken in mid-broadcast."""
    running.tokens(PUSHES)
    done = running.broadcast()
    running.finished(done)
    running.control.put("/script", {"rules": [{"match": {}, "action": {"delay_ms": 1500}}]})
    running.under_way = running.broadcast()
    wait_until("some are sent", lambda: running.occurrence(running.under_way)["accepted"] > 0)

    folder = tmp_path_factory.mktemp("dumps") / "dump"
    dumped = script("backup.sh", folder, running.environ["DATABASE_URL"])
    assert dumped.returncode == 0, dumped.stderr
    running.finished(running.under_way)  # whose end the dump does not know
    with running.database() as database:
        database.execute("CREATE DATABASE restored")
    url = running.environ["DATABASE_URL"].rpartition("/")[0] + "/restored"
    put_back = script("restore.sh", folder, url)
    assert put_back.returncode == 0, put_back.stderr
    return url


def rows(url, query, *params):
    with psycopg.connect(url) as database:
        return database.execute(query, params).fetchall()


def test_what_had_ended_is_there_to_the_last_outcome(running, restored):
    [(targeted, accepted)] = rows(
        restored,
        "SELECT targeted, accepted FROM delivery_occurrence WHERE state = 'finished'",
    )
    [(told,)] = rows(
        restored,
        """SELECT count(*) FROM delivery_delivery d JOIN delivery_occurrence o
               ON o.id = d.occurrence_id WHERE o.state = 'finished'""",
    )
    assert (targeted, accepted, told) == (PUSHES, PUSHES, PUSHES)


def test_the_ledger_has_its_partitions(running, restored):
    query = """SELECT inhrelid::regclass::text FROM pg_inherits
                WHERE inhparent = 'delivery_delivery'::regclass ORDER BY 1"""
    there = rows(restored, query)
    assert there == rows(running.environ["DATABASE_URL"], query)
    assert len(there) >= 5  # today, three days ahead, and the default one


def test_every_counter_agrees_and_what_was_under_way_is_stopped(running, restored):
    assert manage(running, restored, "migrate", "--check").returncode == 0
    checked = manage(running, restored, "check_data", "--stop")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"notification {running.under_way}: paused" in checked.stdout
    assert "the data is whole" in checked.stdout
    again = manage(running, restored, "check_data")
    assert "unfinished" not in again.stdout


def test_a_database_with_data_is_not_restored_into(running, restored, tmp_path):
    refused = script("restore.sh", tmp_path, running.environ["DATABASE_URL"])
    assert refused.returncode == 1
    assert "take an empty one" in refused.stderr


def test_a_dump_is_never_written_over(running, tmp_path):
    assert script("backup.sh", tmp_path, running.environ["DATABASE_URL"]).returncode == 1


def test_an_outcome_that_is_missing_is_found(running, restored):
    with psycopg.connect(restored) as database:
        database.execute(
            """DELETE FROM delivery_delivery WHERE ctid = (SELECT d.ctid FROM delivery_delivery d
                 JOIN delivery_occurrence o ON o.id = d.occurrence_id
                WHERE o.state = 'finished' LIMIT 1)"""
        )
    checked = manage(running, restored, "check_data")
    assert checked.returncode == 1
    assert "1 firings disagree with the ledger" in checked.stderr


def test_without_the_sealing_key_it_says_so(running, restored):
    running.environ["GATEWAY_SEALING_KEYS"] = "another"
    try:
        checked = manage(running, restored, "check_data")
    finally:
        del running.environ["GATEWAY_SEALING_KEYS"]
    assert "columns have secrets no key opens" in checked.stderr
