"""What hurts in production, done on purpose; every journey ends with conservation holding.

`Stack.finished` checks it at every look: the counters equal the ledger's own rows, and in the end
nothing is pending.
"""

import os

import pytest

from devstack import programs
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

LONG = os.environ.get("CHAOS") == "long"
ROUNDS = 5 if LONG else 1
IN_FLIGHT = 100 * programs.PROCESSES
"""A batch of 100 in each process of a worker: what can be under way and not yet recorded."""

PUSHES = max(5_000 if LONG else 600, 2 * IN_FLIGHT)


def accepted(stack):
    return stack.control.get("/received/summary")["accepted"]["apns"]


def doubled(stack):
    return stack.control.get("/received/summary")["duplicates"]["by_apns_id"]


def script(stack, *rules):
    stack.control.put(
        "/script", {"rules": [{"match": {"provider": "apns"}, **rule} for rule in rules]}
    )


def in_mid_broadcast(stack):
    """Send slowly to many and give the notification once the first pushes have been taken."""
    stack.tokens(PUSHES)
    script(stack, {"action": {"delay_ms": 300}})
    notification = stack.broadcast()
    wait_until("in mid-broadcast", lambda: accepted(stack) > 0)
    return notification


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_worker_killed_in_mid_batch_loses_nothing(stack, _round):
    notification = in_mid_broadcast(stack)

    stack.kill("worker")
    stack.start_worker()

    occurrence = stack.finished(notification)
    assert occurrence["accepted"] == PUSHES
    # sent twice: no more than was in flight and not recorded, and no more than was counted
    assert accepted(stack) - PUSHES == doubled(stack)
    assert doubled(stack) <= occurrence["replayed"] <= IN_FLIGHT


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_broker_flushed_while_batches_wait_costs_seconds(stack, _round):
    notification = in_mid_broadcast(stack)

    with stack.broker() as broker:
        broker.flushall()

    occurrence = stack.finished(notification)
    assert occurrence["accepted"] == accepted(stack) == PUSHES
    assert occurrence["replayed"] == 0


def test_an_ask_made_while_the_broker_is_away_is_sent_when_it_is_back(stack):
    stack.tokens(10)
    with stack.broker_away():
        notification = stack.broadcast()

    assert stack.finished(notification)["accepted"] == 10


def test_an_ask_made_while_the_database_is_frozen_is_answered_and_not_accepted(stack):
    stack.tokens(10)
    with stack.database_frozen():
        answers = [
            stack.call("POST", "/notifications", {"broadcast": True, "title": "T", "message": "M"})
            for _ in range(2)
        ]

    assert [a.status for a in answers] == [500, 500], answers
    wait_until("ready", lambda: stack.call("GET", "/readyz", keys=None).status == 200)
    assert stack.finished(stack.broadcast())["accepted"] == 10


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_database_restarted_in_mid_broadcast_loses_nothing(stack, _round):
    notification = in_mid_broadcast(stack)

    stack.restart_database()

    occurrence = stack.finished(notification)
    assert occurrence["accepted"] == PUSHES
    assert accepted(stack) - PUSHES == doubled(stack) <= occurrence["replayed"] <= IN_FLIGHT


def test_a_provider_that_stalls_leaves_uncertain_pushes_and_harms_no_others(stack):
    stack.tokens(200)
    script(stack, {"every": 20, "times": 5, "action": {"wire": "stall"}})

    occurrence = stack.finished(stack.broadcast())

    assert occurrence["uncertain"] == 5
    assert occurrence["accepted"] == 195
    assert doubled(stack) == 0

    script(stack)
    assert stack.finished(stack.broadcast())["accepted"] == 200


def test_a_provider_that_is_all_silent_ends_in_bounded_time(stack):
    stack.tokens(50)
    script(stack, {"action": {"wire": "stall"}})

    occurrence = stack.finished(stack.broadcast(ttl=20))

    assert occurrence["accepted"] == 0
    assert occurrence["uncertain"] + occurrence["expired"] == 50
    assert doubled(stack) == 0


def test_goaway_again_and_again_sends_nothing_twice(stack):
    stack.tokens(PUSHES)
    script(stack, {"every": 50, "action": {"wire": "goaway", "goaway": {"last": "this"}}})

    occurrence = stack.finished(stack.broadcast())

    assert occurrence["accepted"] + occurrence["uncertain"] == PUSHES
    assert occurrence["accepted"] > PUSHES * 0.9
    assert doubled(stack) == 0


def test_refused_streams_are_sent_again_and_accepted_once(stack):
    stack.tokens(PUSHES)
    script(stack, {"every": 7, "times": 50, "action": {"wire": "refuse"}})

    occurrence = stack.finished(stack.broadcast())

    assert occurrence["accepted"] == accepted(stack) == PUSHES
    assert doubled(stack) == 0


def test_a_key_the_provider_refuses_kills_no_token(stack):
    stack.tokens(50)
    script(stack, {"action": {"reason": "BadDeviceToken", "status": 400}})
    notification = stack.broadcast(ttl=5)

    occurrence = stack.finished(notification)

    assert occurrence["unregistered"] == 0
    with stack.database() as database:
        [(dead,)] = database.execute(
            "SELECT count(*) FROM crm_devicetoken WHERE app_id = %s AND state = 'dead'",
            [stack.app["id"]],
        ).fetchall()
    assert dead == 0
