"""The database ends, hangs or hangs up in the middle of a broadcast."""

import time

import pytest

from tests.chaos.asking import stored
from tests.chaos.broadcast import IN_FLIGHT, LONG, PUSHES, ROUNDS, in_mid_broadcast
from tests.chaos.recovery import accepted, doubled, recover
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

FROZEN_SECONDS = 10 if LONG else 3
ASK = {"broadcast": True, "title": "T", "message": "M"}


def sent_to_everybody(stack, occurrence):
    """Check that all was accepted, and twice no more than was in flight."""
    assert occurrence["accepted"] == PUSHES
    assert accepted(stack) - PUSHES == doubled(stack) <= occurrence["replayed"] <= IN_FLIGHT


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_database_restarted_in_mid_broadcast_loses_nothing(stack, _round):
    notification = in_mid_broadcast(stack)

    stack.restart_engine("postgres")

    [occurrence] = recover(stack, "database restarted", notification)
    sent_to_everybody(stack, occurrence)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_database_that_hangs_up_on_everybody_loses_nothing(stack, _round):
    notification = in_mid_broadcast(stack)

    with stack.database() as database:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    [occurrence] = recover(stack, "database connections cut", notification)
    sent_to_everybody(stack, occurrence)


def test_what_is_asked_while_the_database_hangs_is_answered_in_bounded_time(stack):
    notification = in_mid_broadcast(stack)

    with stack.database_frozen():
        ends_at = time.monotonic() + FROZEN_SECONDS
        answer = stack.call("POST", "/notifications", ASK)
        time.sleep(max(0, ends_at - time.monotonic()))

    assert answer.status == 500, answer
    recover(stack, "database frozen", notification)
    # it may have been stored all the same, as with any answer that was lost; by now that is decided
    sends = recover(stack, "an ask answered 500", *stored(stack))
    assert [occurrence["accepted"] for occurrence in sends] == [PUSHES] * len(sends)
    assert accepted(stack) - len(sends) * PUSHES == doubled(stack)
    wait_until("ready", lambda: stack.call("GET", "/readyz", keys=None).status == 200)
