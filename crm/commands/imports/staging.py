"""Many rows into one statement: copied beside the tables, then merged by what is newer."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper

R = TypeVar("R")


@contextmanager
def staged(columns: str, rows: Iterable[Sequence[Any]]) -> Iterator[CursorWrapper]:
    """Give a cursor that sees the rows as a table `said`, inside the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE said ({columns}) ON COMMIT DROP")
        with cursor.copy("COPY said FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        yield cursor
        cursor.execute("DROP TABLE said")


def rounds(rows: Iterable[R], keys: Callable[[R], Iterable[Hashable]]) -> list[list[R]]:
    """Split rows so that no key comes twice in a round; of those that share one, order is kept.

    A statement cannot touch a row twice, and where a file is cut must not change what it means.
    """
    found: list[list[R]] = []
    taken: dict[Hashable, int] = {}
    for row in rows:
        own = list(keys(row))
        number = max([taken.get(key, 0) for key in own])
        taken.update(dict.fromkeys(own, number + 1))
        if number == len(found):
            found.append([])
        found[number].append(row)
    return found


def merged(columns: Mapping[str, str], *, newer: str) -> str:
    """Give the SET list for columns and their empty values: the rule of this package, in SQL."""
    return ",\n".join(
        f"{name} = CASE WHEN {newer}"
        f" THEN COALESCE(NULLIF(EXCLUDED.{name}, {empty}), old.{name})"
        f" ELSE COALESCE(NULLIF(old.{name}, {empty}), EXCLUDED.{name}) END"
        for name, empty in columns.items()
    )


def id_of(table: str) -> str:
    """Give SQL for the id of a row `known` already, or else a new one.

    An insertion that becomes an update has taken an id from the sequence all the same: of 32-bit
    ids a crowd imported day by day would use up all there are.
    """
    return f"COALESCE(known.id, nextval(pg_get_serial_sequence('{table}', 'id')))"


def by_now(column: str) -> str:
    """Give SQL for a moment told by a clock that may run ahead of ours."""
    return f"LEAST({column}, CASE WHEN {column} IS NOT NULL THEN now() END)"


def as_json(value: Mapping[str, Any] | None) -> str | None:
    """Give an object as COPY takes it."""
    return None if value is None else orjson.dumps(value).decode()


def as_text(moment: datetime | None) -> str | None:
    """Give a moment as COPY takes it: what the driver would do itself costs six times as much."""
    return None if moment is None else orjson.dumps(moment)[1:-1].decode()
