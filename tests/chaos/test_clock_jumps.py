"""Wall clocks set by two hours, forwards and back, while a broadcast runs and work lies ahead.

Waits, leases and due times go by the database's clock, alive or dead by the monotonic one; what a
provider is shown, a token signed just now, goes by the clock of the machine that signs it.
"""

import time

import pytest

from crm.clock import TRUSTED_FOR
from tests.chaos.asking import push_to_one, schedule_broadcast
from tests.chaos.broadcast import IN_FLIGHT, LONG, PUSHES, in_mid_broadcast
from tests.chaos.recovery import accepted, doubled, recover
from tests.chaos.shim import DATABASE, OURS

pytestmark = pytest.mark.chaos

HOURS = [2, -2]
HOUR = 3600


def set_providers_clocks(stack, hours):
    """Have Apple and Google go by the same wrong time."""
    offset = {"clock_offset_s": hours * HOUR}
    # a token signed by the new time is not one too many
    apns = {**offset, "token_update_interval_s": 0}
    stack.control.post("/script", {"settings": {"apns": apns, "fcm": offset}})


def set_databases_clock(switches, hours):
    """Set it and wait until all have noticed: what is asked for meanwhile is dated by the old."""
    switches.set_clocks(DATABASE, hours=hours)
    time.sleep(TRUSTED_FOR)


@pytest.fixture(autouse=True)
def right_again(switches):
    """Leave all clocks right, and everybody aware of it."""
    yield
    set_databases_clock(switches, 0)


def ask_to_one(stack):
    """Push to one phone and give the notification, or fail with what was said."""
    answer = push_to_one(stack, 1)
    assert answer.status == 201, answer
    return int(answer.body["id"])


def still_ahead(stack, notification):
    """Say whether a scheduled send has waited, and call it off."""
    waited = stack.occurrence(notification)["state"] == "due"
    return stack.call("DELETE", f"/notifications/{notification}").status == 204 and waited


@pytest.mark.parametrize("hours", HOURS if LONG else [2])
def test_our_machines_clocks_jump_and_all_goes_on(stack, switches, hours):
    """Everybody but the database: to it, all the others are wrong."""
    ahead = schedule_broadcast(stack, seconds=3 * HOUR)
    notification = in_mid_broadcast(stack, ttl=HOUR)
    soon = schedule_broadcast(stack, seconds=2)

    switches.set_clocks(*OURS, hours=hours)
    set_providers_clocks(stack, hours)

    one = ask_to_one(stack)
    # a token signed just before is from the future to a provider set back: a minute's rest
    sends = recover(stack, f"our clocks {hours:+} h", notification, soon, one, seconds=150)
    assert [o["accepted"] for o in sends] == [PUSHES, PUSHES, 1]
    assert [o["replayed"] for o in sends] == [0, 0, 0]
    assert accepted(stack) == 2 * PUSHES + 1
    assert still_ahead(stack, ahead)
    assert stack.call("GET", "/readyz", keys=None).status == 200


@pytest.mark.parametrize("hours", HOURS)
def test_the_databases_clock_jumps_and_nothing_is_lost_or_expires(stack, switches, hours):
    ahead = schedule_broadcast(stack, seconds=3 * HOUR)
    notification = in_mid_broadcast(stack, ttl=3 * HOUR)

    set_databases_clock(switches, hours)

    sends = recover(stack, f"database's clock {hours:+} h", notification, ask_to_one(stack))
    assert [o["accepted"] for o in sends] == [PUSHES, 1]
    assert accepted(stack) - PUSHES - 1 == doubled(stack) <= IN_FLIGHT
    # who has not read the clock since it was set leases by the old one: what each took then is
    # found lost once more, and counted again though nobody is sent it twice
    assert doubled(stack) <= sends[0]["replayed"] <= 2 * IN_FLIGHT
    assert still_ahead(stack, ahead)


@pytest.mark.skipif(not LONG, reason="`make chaos` has it")
@pytest.mark.parametrize("hours", HOURS)
def test_a_worker_killed_before_the_databases_clock_jumps_is_followed_in_time(
    stack, switches, hours
):
    notification = in_mid_broadcast(stack, ttl=3 * HOUR)

    stack.kill("worker")
    set_databases_clock(switches, hours)
    stack.start_worker()

    [occurrence] = recover(stack, f"worker killed, database's clock {hours:+} h", notification)
    assert occurrence["accepted"] == PUSHES
    assert accepted(stack) - PUSHES == doubled(stack) <= occurrence["replayed"] <= IN_FLIGHT
