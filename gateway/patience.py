"""No request waits for the database for ever: it may be frozen, cut off, or behind a lock."""

from collections.abc import Generator
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus


def bound_statements() -> None:
    """Have every connection this process opens give up on a statement after `DATABASE_PATIENCE`.

    A frozen server sends no error, nor does TCP. Web processes only: a task has its time limit, a
    migration takes as long as it takes.
    """
    connection_created.connect(bound)


def bound(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Put a deadline on a connection's one way to wait, psycopg's `Connection.wait`."""
    living: psycopg.Connection[Any] = connection.connection
    wait_for_ever, seconds = living.wait, settings.DATABASE_PATIENCE.total_seconds()

    def wait(gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        try:
            return wait_for_ever(gen, *args, **{"timeout": seconds, **options})
        except psycopg.OperationalError:
            if living.pgconn.transaction_status == TransactionStatus.ACTIVE:
                living.pgconn.finish()  # nothing more can be said while the statement runs on
            raise

    setattr(living, "wait", wait)  # noqa: B010 - an assignment to a method is refused by mypy
