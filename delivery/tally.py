"""Totals over all firings, at a price that does not grow with their number.

Firings at work are few and added up when somebody asks. Finished ones are added to one row, once
each, and marked: in the transaction that adds them. One whose outcomes do not add up is never added
and so stays to be seen, among those that wait.
"""

from collections.abc import Mapping
from time import monotonic

from django.db import connection

from delivery.models import Delivery, Occurrence, Tally

AT_ONCE = 5_000
"""Firings added in one transaction: a fraction of a second."""

TURN = 2.0
"""Seconds one round goes on while there are more."""

MOST = 100_000
"""Firings added up at most for one question."""

COUNTED = ("targeted", *Delivery.Verdict.values, "replayed")
SETTLED = " + ".join(f"o.{verdict}" for verdict in Delivery.Verdict.values)
TABLE, OCCURRENCES = Tally._meta.db_table, Occurrence._meta.db_table  # noqa: SLF001 - public

# S608: names of columns and tables alone
ADD = f"""
WITH ripe AS (
    SELECT id FROM {OCCURRENCES} o
     WHERE state = 'finished' AND NOT tallied AND targeted = {SETTLED}
     ORDER BY id
     LIMIT %s
       FOR NO KEY UPDATE SKIP LOCKED
), added AS (
    UPDATE {OCCURRENCES} o SET tallied = true FROM ripe WHERE o.id = ripe.id
    RETURNING {", ".join(f"o.{name}" for name in COUNTED)}
)
INSERT INTO {TABLE} AS t (id, occurrences, {", ".join(COUNTED)})
SELECT 1, count(*), {", ".join(f"coalesce(sum({name}), 0)" for name in COUNTED)} FROM added
HAVING count(*) > 0
    ON CONFLICT (id) DO UPDATE
   SET occurrences = t.occurrences + excluded.occurrences,
       {", ".join(f"{name} = t.{name} + excluded.{name}" for name in COUNTED)}
RETURNING 1
"""  # noqa: S608

# one statement, one snapshot: what moves from one part to another meanwhile is in one of them
SUMS = f"""
WITH live AS (
    (SELECT o.* FROM {OCCURRENCES} o WHERE state = 'sending' ORDER BY id LIMIT {MOST})
    UNION ALL
    (SELECT o.* FROM {OCCURRENCES} o WHERE state IN ('due', 'planning') AND state = 'planning'
      LIMIT {MOST})
    UNION ALL
    (SELECT o.* FROM {OCCURRENCES} o WHERE state = 'finished' AND NOT tallied
      ORDER BY id LIMIT {MOST})
)
SELECT {
    ", ".join(
        f"coalesce((SELECT {name} FROM {TABLE} WHERE id = 1), 0) + coalesce(sum(o.{name}), 0)"
        for name in COUNTED
    )
},
       count(*) FILTER (WHERE o.state = 'finished' AND o.targeted <> {SETTLED}
                           OR o.targeted < {SETTLED})
  FROM live o
"""  # noqa: S608


def add_finished() -> None:
    """Add what has finished since the last time; as many rounds as fit into a turn."""
    began_at = monotonic()
    while _add() and monotonic() - began_at < TURN:
        pass


def _add() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ADD, [AT_ONCE])
        return bool(cursor.rowcount > 0)


def sums() -> Mapping[str, int]:
    """Give the totals of all firings, and how many are `not_conserved`."""
    with connection.cursor() as cursor:
        cursor.execute(SUMS)
        row = cursor.fetchone()
    return dict(zip((*COUNTED, "not_conserved"), map(int, row), strict=True))
