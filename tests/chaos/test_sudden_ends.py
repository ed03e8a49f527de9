"""`kill -9` of any process at any moment of a mixed load.

`CHAOS_SEED` repeats a run's victims and moments, `CHAOS_ROUNDS` says how many there are.
"""

import os
import random
import time

import pytest

from tests.chaos.asking import one_to_one, schedule_broadcast, stored
from tests.chaos.broadcast import IN_FLIGHT, LONG, in_mid_broadcast
from tests.chaos.recovery import accepted, doubled, recover
from tests.chaos.victims import KINDS, kill_one

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("CHAOS_SEED") or time.time_ns() % 1_000_000)
ROUNDS = int(os.environ.get("CHAOS_ROUNDS") or (100 if LONG else 2))
PUSHES = 2 * IN_FLIGHT


def victims():
    """All kinds in turn, in another order every time."""
    chance, found = random.Random(SEED), []
    while len(found) < ROUNDS:
        found += chance.sample(KINDS, len(KINDS))
    return [pytest.param(n, kind, id=f"{SEED}-{n}-{kind}") for n, kind in enumerate(found[:ROUNDS])]


@pytest.mark.parametrize(("number", "victim"), victims())
def test_a_process_killed_at_any_moment_loses_nothing(stack, number, victim):
    chance = random.Random(f"{SEED}/{number}")
    broadcast = in_mid_broadcast(stack, pushes=PUSHES)
    scheduled = schedule_broadcast(stack, seconds=chance.uniform(0, 2))

    with one_to_one(stack) as answers:
        time.sleep(chance.uniform(0, 1.5))
        kill_one(stack, victim, chance)
        time.sleep(chance.uniform(0, 1))

    # accepted means stored; what was stored and its caller not told of is sent all the same
    told = {int(answer.body["id"]) for answer in answers if answer.status == 201}
    sends = stored(stack)
    assert told <= set(sends)
    assert len(told) <= len(sends) - 2 <= len(answers)
    occurrences = recover(stack, f"killed: {victim}", *sends, seconds=120)
    assert sum(o["accepted"] for o in occurrences) == 2 * PUSHES + len(sends) - 2
    assert {o["notification_id"] for o in occurrences} >= {broadcast, scheduled}
    assert accepted(stack) - sum(o["accepted"] for o in occurrences) == doubled(stack)
    assert sum(o["replayed"] for o in occurrences) <= IN_FLIGHT
