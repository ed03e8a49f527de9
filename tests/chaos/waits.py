"""Waits that are stored, as a provider's quarter of an hour is, and how to skip them."""

from typing import NamedTuple

import psycopg

from tests.journeys.stack import Stack

WAITS = """
SELECT table_name, column_name FROM information_schema.columns
 WHERE table_name IN ('delivery_batch', 'delivery_providercredential', 'delivery_breaker')
   AND data_type = 'timestamp with time zone'
   AND column_name NOT IN ('created_at', 'updated_at', 'lease_until', 'opened_at')
"""

NAMED = """
SELECT b.last_reason, sum(cardinality(b.token_ids))::int,
       extract(epoch FROM max(b.next_attempt_at) - now())::float
  FROM delivery_batch b
 WHERE b.state = 'waiting' AND b.last_reason <> '' AND b.next_attempt_at > now()
 GROUP BY 1 ORDER BY 1
"""


class Waiting(NamedTuple):
    """Pushes that are not due yet, why, and the seconds until the last of them is."""

    reason: str
    pushes: int
    longest: float


def named_waits(database: psycopg.Connection) -> list[Waiting]:
    """Give what waits for a moment to come, a row for each reason it was given."""
    return [Waiting(*row) for row in database.execute(NAMED).fetchall()]


def let_pass(stack: Stack, *, seconds: int) -> None:
    """Let every wait that is stored come so much nearer; time itself goes on as ever."""
    with stack.database() as database:
        for table, column in database.execute(WAITS).fetchall():
            moved = f"SET {column} = {column} - make_interval(secs => {seconds})"
            database.execute(
                f"UPDATE {table} {moved} WHERE {column} > now()"  # type: ignore[arg-type]
            )
