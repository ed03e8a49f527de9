"""The end of a soak: what is under way ends; waits for a moment to come are told and skipped.

Apple asks for a quarter of an hour after a 503: whatever was refused so in the last fifteen minutes
is rightly still waiting when the load ends.
"""

import time
from collections.abc import Callable

import psycopg

from tests.chaos.waits import Waiting, let_pass, named_waits
from tests.journeys.stack import Stack

AHEAD = """
SELECT DISTINCT notification_id FROM delivery_occurrence
 WHERE state = 'due' AND due_at > now() + interval '1 minute'
"""

UNFINISHED = """
SELECT o.id, o.state, o.targeted - o.accepted - o.rejected - o.unregistered - o.expired
       - o.cancelled - o.capped - o.uncertain AS pending,
       array_agg(concat_ws(' ', b.state, b.transport, b.lane, 'tries', b.tries, 'lost', b.lost,
                           'due in', round(extract(epoch FROM b.next_attempt_at - now())), 's',
                           b.last_reason)) FILTER (WHERE b.id IS NOT NULL)
  FROM delivery_occurrence o
  LEFT JOIN delivery_batch b ON b.occurrence_id = o.id AND b.state IN ('waiting', 'sending')
 WHERE o.state NOT IN ('finished', 'cancelled', 'skipped') AND {which}
 GROUP BY o.id ORDER BY o.id
"""
UNDER_WAY = """
(b.id IS NULL OR b.state = 'sending' OR b.last_reason = '' OR b.next_attempt_at <= now())
"""
SHOWN = 20
LOOK_EVERY = 0.5
SKIP = 3600


SETTLED = """
SELECT sum(accepted + rejected + unregistered + expired + cancelled + capped + uncertain)::bigint
"""


def drain(stack: Stack, *, seconds: float) -> list[Waiting]:
    """Wait until only what was given a reason and a moment waits, and see that end, too.

    Gives what waited so. However long it takes on a busy machine, it goes on while something is
    settled; `seconds` without that are too many.
    """
    with stack.database() as database:

        def idle() -> bool:
            for (notification,) in database.execute(AHEAD).fetchall():
                stack.call("DELETE", f"/notifications/{notification}")  # what later zones would get
            return not _unfinished(database, UNDER_WAY)

        def over() -> bool:
            let_pass(stack, seconds=SKIP)
            return not _unfinished(database, "true")

        try:
            _while_it_goes_on(database, "nothing is under way", idle, seconds=seconds)
            waited = named_waits(database)
            _while_it_goes_on(database, "all ended, waits skipped", over, seconds=seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}\n  {_tell(_unfinished(database, 'true'))}") from None
    return waited


def _while_it_goes_on(
    database: psycopg.Connection, what: str, holds: Callable[[], bool], *, seconds: float
) -> None:
    """Wait for something as long as pushes are settled meanwhile."""

    def settled() -> int:
        [(count,)] = database.execute(f"{SETTLED} FROM delivery_occurrence").fetchall()
        return int(count or 0)

    last, since = settled(), time.monotonic()
    while not holds():
        if (now := settled()) != last:
            last, since = now, time.monotonic()
        if time.monotonic() - since > seconds:
            raise AssertionError(f"{what}: not true, and nothing was settled for {seconds:g} s")
        time.sleep(LOOK_EVERY)


def _unfinished(database: psycopg.Connection, which: str) -> list[tuple[object, ...]]:
    return database.execute(UNFINISHED.format(which=which)).fetchall()  # type: ignore[arg-type]


def _tell(firings: list[tuple[object, ...]]) -> str:
    shown = (" ".join(map(str, firing)) for firing in firings[:SHOWN])
    return "\n  ".join([f"{len(firings)} firings left", *shown])
