"""What hurts in production at the provider's end; every journey ends with conservation holding.

`Stack.finished` checks it at every look: the counters equal the ledger's own rows, and in the end
nothing is pending.
"""

import os

import pytest

pytestmark = pytest.mark.chaos

LONG = os.environ.get("CHAOS") == "long"
PUSHES = 5_000 if LONG else 800


def accepted(stack):
    return stack.control.get("/received/summary")["accepted"]["apns"]


def doubled(stack):
    return stack.control.get("/received/summary")["duplicates"]["by_apns_id"]


def script(stack, *rules):
    stack.control.put(
        "/script", {"rules": [{"match": {"provider": "apns"}, **rule} for rule in rules]}
    )


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
