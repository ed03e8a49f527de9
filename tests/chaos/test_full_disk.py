"""No room for the ledger: the database's files keep what they have and grow no more."""

import time

import pytest

from tests.chaos.asking import one_to_one, stored
from tests.chaos.broadcast import IN_FLIGHT, LONG, PUSHES, in_mid_broadcast
from tests.chaos.recovery import accepted, recover

pytestmark = pytest.mark.chaos

FULL_SECONDS = 15 if LONG else 4


def test_a_full_disk_in_mid_broadcast_loses_nothing(stack, switches):
    notification = in_mid_broadcast(stack)

    with one_to_one(stack) as answers, switches.disk_full():
        time.sleep(FULL_SECONDS)
    stack.revive()  # a log it cannot write ends a database

    told = {int(answer.body["id"]) for answer in answers if answer.status == 201}
    sends = stored(stack)
    assert told <= set(sends)
    occurrences = recover(stack, "disk full", *sends)
    assert occurrences[0]["notification_id"] == notification
    assert occurrences[0]["accepted"] + occurrences[0]["uncertain"] == PUSHES
    assert "No space left on device" in stack.services.postgres.log.read_text()
    targeted, settled = (sum(o[k] for o in occurrences) for k in ("targeted", "accepted"))
    assert accepted(stack) - settled <= sum(o["replayed"] + o["uncertain"] for o in occurrences)
    assert targeted - settled == sum(o["uncertain"] for o in occurrences)
    assert sum(o["replayed"] for o in occurrences) <= IN_FLIGHT
