"""A web process gives up on a silent database, and goes on with the next."""

import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.test import override_settings

from gateway import patience


@pytest.fixture
def impatient(transactional_db):
    """Make one connection impatient and none after it: emptying the tables takes its time."""
    connection.ensure_connection()
    with override_settings(DATABASE_PATIENCE=timedelta(seconds=0.3)):
        patience.bound(connection)
    yield
    connection.close()
    with connection.cursor() as cursor:  # what was given up sleeps on
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()"
        )


def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def test_a_statement_that_takes_too_long_is_given_up(impatient):
    started = time.monotonic()
    with pytest.raises(OperationalError):
        ask("SELECT pg_sleep(20)")

    assert time.monotonic() - started < 15
    with pytest.raises(OperationalError):
        ask("SELECT 1")  # the old connection says nothing more
    connection.close_if_unusable_or_obsolete()
    assert ask("SELECT 1") == (1,)


def test_a_transaction_that_was_given_up_leaves_a_fresh_connection(impatient):
    with pytest.raises(OperationalError), transaction.atomic():
        ask("SELECT pg_sleep(20)")

    assert ask("SELECT 1") == (1,)


def test_a_refusal_leaves_the_connection_as_it_is(impatient):
    before = connection.connection
    with pytest.raises(OperationalError), transaction.atomic():
        ask("SET LOCAL statement_timeout = 50; SELECT pg_sleep(1)")

    assert ask("SELECT 1") == (1,)
    assert connection.connection is before
