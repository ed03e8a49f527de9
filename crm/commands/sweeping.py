"""Deleting what is past its time: some rows in each transaction, for a few seconds at most."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from django.db import connection, models, transaction

AT_ONCE = 2_000
"""Rows deleted in one transaction: none of them is locked for long."""

TURN = 2.0
"""Seconds one kind of row is swept for; a minute later it goes on."""

Find = Callable[[int], Sequence[Any]]
"""Gives and locks the keys of the oldest rows that may go, at most so many."""


def sweep(model: type[models.Model], find: Find, *, seconds: float | None = None) -> int:
    """Delete what `find` gives until there is no more or the turn is over, and give how many.

    Whatever else refers to a row goes with it. Two sweeps at once share the work: `find` passes
    over rows the other has locked.
    """
    swept, until = 0, monotonic() + (TURN if seconds is None else seconds)
    while True:
        with transaction.atomic():
            keys = find(AT_ONCE)
            if keys:
                model._default_manager.filter(pk__in=keys).delete()  # noqa: SLF001 - Django's way
        swept += len(keys)
        if not keys or monotonic() >= until:
            return swept


def forget(sql: str, before: Any, *, at_once: int, in_all: int) -> int:
    """Delete the oldest rows before a moment with a statement, until it finds few; gives how many.

    It is given the moment and how many to delete. Each run is a transaction of its own, and no more
    than about `in_all` rows go: the next upkeep goes on.
    """
    forgotten = 0
    while forgotten < in_all:
        with connection.cursor() as cursor:
            cursor.execute(sql, [before, at_once])
            forgotten += cursor.rowcount
            if cursor.rowcount < at_once:
                break
    return forgotten


def oldest(rows: models.QuerySet[Any]) -> Find:
    """Give the keys of ordered rows; the order needs an index that ends where the rows do."""
    return lambda at_most: list(
        rows.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[
            :at_most
        ]
    )
