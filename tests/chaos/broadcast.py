"""A broadcast that takes long enough to be hurt in the middle."""

import os

from devstack import programs
from tests.chaos.recovery import accepted
from tests.journeys.stack import Stack, wait_until

LONG = os.environ.get("CHAOS") == "long"
ROUNDS = 5 if LONG else 1
IN_FLIGHT = 100 * programs.PROCESSES
"""A batch of 100 in each process of a worker: what can be under way and not yet recorded."""

PUSHES = max(5_000 if LONG else 600, 2 * IN_FLIGHT)


def script(stack: Stack, *rules: dict) -> None:
    """Have Apple and Google misbehave like this from now on."""
    stack.control.put("/script", {"rules": [{"match": {}, **rule} for rule in rules]})


def in_mid_broadcast(stack: Stack, *, pushes: int = PUSHES, **said: object) -> int:
    """Send slowly to many and give the notification once the first pushes have been taken."""
    stack.tokens(pushes // 2, "apns")
    stack.tokens(pushes - pushes // 2, "fcm")
    script(stack, {"action": {"delay_ms": 300}})
    notification = stack.broadcast(**said)
    wait_until("in mid-broadcast", lambda: accepted(stack) > 0)
    return notification
