"""One statement of our own, in one round trip: for what is asked too often to go by the ORM."""

from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import JSONField, Model, Value

UNSYNCED = "set_config('synchronous_commit', 'off', true)"
"""What a statement selects so that nobody waits until its whole transaction is on the disk.

For what others do again if it is lost, and nobody outside has seen: a server that dies within a
second loses it with all that was committed after it, so what a later commit waits for takes it
along (docs/adr/0025).
"""

M = TypeVar("M", bound=Model)
COLUMN = Value(None)
"""What JSON was read from: a whole column, and not what is under a key of one."""


class Columns(Generic[M]):
    """The columns of a model that a statement reads, and the object they make.

    What is `unread` is looked up when it is asked for, as behind `QuerySet.defer`.
    """

    def __init__(self, model: type[M], *, unread: Collection[str] = ()) -> None:
        fields = model._meta.concrete_fields  # noqa: SLF001 - Django's own name for what is public
        read = [field for field in fields if field.name not in unread]
        self._model = model
        self._names = [field.attname for field in read]
        self._columns = [field.column for field in read]
        # JSON comes as text
        self._json = [(n, field) for n, field in enumerate(read) if isinstance(field, JSONField)]

    def of(self, table: str) -> str:
        """Give them as a statement selects them of a table or its alias."""
        return ", ".join(f'{table}."{column}"' for column in self._columns)

    def take(self, row: list[Any]) -> M:
        """Take them off the front of a row, and give the object."""
        values, row[:] = row[: len(self._names)], row[len(self._names) :]
        for place, field in self._json:
            values[place] = field.from_db_value(
                values[place], COLUMN, connections[DEFAULT_DB_ALIAS]
            )
        return self._model.from_db(DEFAULT_DB_ALIAS, self._names, values)

    def take_if_any(self, row: list[Any]) -> M | None:
        """Take them off likewise; None where an outer join found no such object."""
        found = self.take(row)
        return None if found.pk is None else found


def fetch_row(sql: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run a statement and give its first row; see `fetch_rows`."""
    return next(iter(fetch_rows(sql, values)), None)


def fetch_rows(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement and give its rows.

    Outside a transaction it is one by itself. The server keeps it prepared, where settings allow
    that: planning it would cost more than running it.
    """
    return _executed(sql, values).fetchall()


def run(sql: str, values: Mapping[str, Any]) -> int:
    """Run a statement as `fetch_rows` does, and give how many rows it changed."""
    return _executed(sql, values).rowcount


def _executed(sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return _cursor_of(connection).execute(sql, values, prepare=True)


def _cursor_of(connection: Any) -> psycopg.Cursor[Any]:
    """Give the one cursor kept for a connection: to make one costs a tenth of a short statement."""
    kept: psycopg.Cursor[Any] | None = getattr(connection, "statement_cursor", None)
    if kept is None or kept.connection is not connection.connection:
        kept = connection.statement_cursor = psycopg.Cursor(connection.connection)
    return kept
