"""`make soak`: a mixed load with faults, for MINUTES; in the end everything is counted.

Exits with 1 where a push was lost or doubled uncounted, or where anything grew.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos import shim
from tests.chaos.asking import stored
from tests.chaos.recovery import accepted, doubled
from tests.chaos.soak.drain import drain
from tests.chaos.soak.gauges import Gauges
from tests.chaos.soak.harm import Harm
from tests.chaos.soak.load import Load
from tests.chaos.waits import Waiting
from tests.journeys.stack import VERDICTS, Stack

MINUTES = float(os.environ.get("MINUTES") or 30)
SEED = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 1_000_000)
PAUSE = 0.2
HARM_EVERY = 20.0
KILLS_UNTIL = 0.25
"""The part of the time in which our processes are killed; from then on their memory is watched."""

DRAIN_SECONDS = 180.0
"""Without any push settled, before all has ended; waits a provider asked for are skipped."""

LONGEST_WAIT = 900.0
"""Apple's quarter of an hour after a 503."""


def main() -> int:
    """Run, print what was found, and say whether it is well."""
    print(f"soak: {MINUTES:g} min, CHAOS_SEED={SEED}", flush=True)
    try:
        switches = shim.Shim()
    except shim.Missing as why:
        print(f"soak: no disk is filled here: {why}")
        switches = None
    with tempfile.TemporaryDirectory(prefix="gateway-soak-") as folder:
        stack = Stack(Path(folder), switches, careless=False)
        try:
            stack.start()
            stack.start_urgent_worker()
            wrong = soak(stack, switches)
        finally:
            stack.stop()
            if switches:
                switches.close()
    for problem in wrong:
        print(f"WRONG: {problem}")
    print("soak: failed" if wrong else "soak: all well")
    return 1 if wrong else 0


def soak(stack: Stack, switches: shim.Shim | None) -> list[str]:
    """Load and hurt a running gateway, and give what was not as promised."""
    chance = random.Random(SEED)
    load, gauges = Load(stack, chance), Gauges(stack)
    harm = Harm(stack, switches, chance)
    load.begin()
    began = next_harm = time.monotonic()
    while (gone := time.monotonic() - began) < MINUTES * 60:
        harm.may_kill = gone < MINUTES * 60 * KILLS_UNTIL
        load.do_something()
        if time.monotonic() >= next_harm:
            print(f"{gone / 60:5.1f} min  {harm.do_one()}", flush=True)
            next_harm = time.monotonic() + HARM_EVERY
        if not harm.may_kill:
            gauges.read()
        time.sleep(PAUSE)
    stack.control.delete("/script")
    stack.revive()
    try:
        waited = drain(stack, seconds=DRAIN_SECONDS)
    except AssertionError as stuck:
        return [str(stuck), *harm.fallen, *growth(gauges), *losses(stack, load)]
    for wait in waited:
        print(f"waiting in the end: {wait.pushes} pushes, {wait.longest:.0f} s yet: {wait.reason}")
    print(f"\n{sum(harm.done.values())} faults: {harm.done}")
    print(f"{len(load.told)} asks accepted, {load.refused} refused or unanswered meanwhile")
    print(f"{load.withheld} broadcasts withheld: the machine was busy with those before\n")
    return [*harm.fallen, *too_long(waited), *growth(gauges), *losses(stack, load)]


def too_long(waited: Sequence[Waiting]) -> Iterator[str]:
    """Yield what was to wait for longer than any provider here asks for."""
    for wait in waited:
        if wait.longest > LONGEST_WAIT:
            yield f"{wait.pushes} pushes wait {wait.longest:.0f} s yet: {wait.reason}"


def growth(gauges: Gauges) -> Iterator[str]:
    """Print what was watched, and yield what grew."""
    print(f"{'watched':<24}{'first third':>14}{'last third':>14}")
    for gauge in gauges:
        first, last = gauge.thirds()
        print(f"{gauge.name:<24}{first:>14.1f}{last:>14.1f} {gauge.unit}")
        if not gauge.is_flat():
            yield f"{gauge.name} grew from {first:.1f} to {last:.1f} {gauge.unit}"


def losses(stack: Stack, load: Load) -> Iterator[str]:
    """Print what became of all pushes, and yield what does not add up."""
    lost = load.told - set(stored(stack))
    if lost:
        yield f"{len(lost)} asks were accepted and not stored"
    counters = ", ".join(f"sum({name})::bigint" for name in ("targeted", "replayed", *VERDICTS))
    with stack.database() as database:
        [sums] = database.execute(f"SELECT {counters} FROM delivery_occurrence").fetchall()
        rows = dict(
            database.execute(
                "SELECT verdict, count(*) FROM delivery_delivery GROUP BY 1"
            ).fetchall()
        )
        unequal = database.execute(UNEQUAL).fetchall()
    targeted, replayed, *counted = sums
    named = {name: n for name, n in zip(VERDICTS, counted, strict=True) if n}
    twice = doubled(stack)
    print(f"\n{targeted} pushes: {named}; {replayed} replayed, {twice} doubled at the providers")
    print(f"{accepted(stack)} taken by the providers")
    if targeted != sum(counted):
        yield f"{targeted} targeted, {sum(counted)} settled"
    if named != rows:
        yield f"counters {named} are not the ledger's rows {rows}"
    for occurrence, of in unequal:
        yield f"occurrence {occurrence} counts {of} other than its rows"
    if twice > replayed:
        yield f"{twice} doubled, {replayed} counted"


UNEQUAL = """
SELECT o.id, o.accepted - count(d.*) FILTER (WHERE d.verdict = 'accepted')
  FROM delivery_occurrence o LEFT JOIN delivery_delivery d ON d.occurrence_id = o.id
 GROUP BY o.id
HAVING o.accepted <> count(d.*) FILTER (WHERE d.verdict = 'accepted')
    OR o.targeted <> count(d.*)
"""


if __name__ == "__main__":
    sys.exit(main())
