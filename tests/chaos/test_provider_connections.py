"""What a provider does to connections: silence, farewells, resets, limits, a move elsewhere."""

import pytest

from simulator import launch
from tests.chaos.broadcast import IN_FLIGHT
from tests.chaos.recovery import recover
from tests.chaos.scene import MANY, PUSHES
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

GOAWAYS = {
    "the streams seen are answered first": {"last": "this", "order": "after"},
    "the streams seen are answered afterwards": {"last": "this", "order": "before"},
    "the last stream was not seen": {"last": "previous"},
    "everything is answered first": {"last": "all", "order": "before"},
    "it hangs up at once": {"last": "this", "order": "after", "close": "now"},
    "it hangs up on everything": {"last": "all", "order": "instead", "close": "now"},
    "it says goodbye and stays": {"last": "all", "order": "after", "close": "never"},
}


def test_silence_on_every_connection_costs_what_was_in_flight_and_no_more(scene):
    notification = scene.in_mid_broadcast()

    stalled = scene.stack.control.post("/connections", {"action": "stall", "provider": "apns"})
    scene.script()

    assert stalled["connections"] > 0
    occurrence = scene.settled("silence in mid-broadcast", notification)
    assert 0 < occurrence["uncertain"] <= IN_FLIGHT
    assert occurrence["accepted"] == MANY - occurrence["uncertain"]


def test_a_provider_silent_from_the_start_keeps_nobody_waiting_and_loses_nobody(scene):
    """Each fresh connection risks a single push; the others are provably unsent and asked again."""
    scene.script({"action": {"wire": "stall_connection"}})
    notification = scene.broadcast(50)
    scene.postponed(notification)

    scene.script()

    occurrence = scene.well_again("silence from the start", notification)
    assert occurrence["accepted"] + occurrence["uncertain"] == 50
    assert occurrence["uncertain"] <= 10


def test_single_pushes_without_an_answer_harm_no_others(scene):
    scene.script({"every": 20, "times": 5, "action": {"wire": "stall"}})

    occurrence = scene.settled("five pushes never answered", scene.broadcast(200))

    assert (occurrence["uncertain"], occurrence["accepted"]) == (5, 195)


@pytest.mark.parametrize("goaway", GOAWAYS.values(), ids=GOAWAYS.keys())
def test_goaway_in_mid_burst_when(scene, goaway, request):
    scene.script({"after": 30, "every": 60, "times": 4, "action": {"goaway": goaway}})

    occurrence = scene.settled(f"GOAWAY, {request.node.callspec.id}", scene.broadcast())

    assert occurrence["accepted"] + occurrence["uncertain"] == PUSHES
    if goaway.get("close") is None and goaway.get("order") != "instead":
        assert occurrence["accepted"] == PUSHES  # all it took was answered: nothing is in doubt


def test_goaway_again_and_again_is_no_reconnect_storm(scene):
    opened = scene.summary()["traffic"]["apns"]["connections_opened"]
    scene.script({"every": 20, "action": {"goaway": {"last": "this"}}})

    occurrence = scene.settled("GOAWAY every 20 pushes", scene.broadcast())

    assert occurrence["accepted"] == PUSHES
    assert scene.summary()["traffic"]["apns"]["connections_opened"] - opened <= PUSHES // 20 + 8


def test_a_storm_of_resets_costs_the_pushes_it_hits_and_nothing_after_it(scene):
    codes = (2, 8, 11)  # INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM
    storm = [{"every": 4, "times": 30, "action": {"wire": "reset", "code": code}} for code in codes]
    scene.script(*storm)

    occurrence = scene.settled("90 streams reset", scene.broadcast())

    assert (occurrence["uncertain"], occurrence["accepted"]) == (90, PUSHES - 90)


def test_refused_streams_are_sent_again_and_accepted_once(scene):
    scene.script({"every": 3, "times": 150, "action": {"wire": "refuse"}})

    occurrence = scene.settled("150 streams refused", scene.broadcast())

    assert occurrence["accepted"] == scene.taken() == PUSHES


def test_the_stream_limit_falls_to_one_and_rises_again(scene):
    notification = scene.in_mid_broadcast()

    scene.script({"action": {"delay_ms": 20}}, max_streams=1)
    wait_until("at one stream", lambda: scene.taken() > IN_FLIGHT)
    scene.script(max_streams=1000)

    occurrence = scene.settled("stream limit 1, then 1000", notification)
    assert occurrence["accepted"] == MANY
    assert scene.summary()["traffic"]["apns"]["violations"] == 0


def test_a_rejected_push_that_drops_the_limit_to_one_costs_its_neighbours_nothing(scene):
    """As observed of Apple: contracts/providers §1.4."""
    bad = {"every": 40, "times": 8, "action": {"reason": "BadMessageId"}}
    scene.script(bad, strict_stream_limit_after_reject=True, over_limit="refuse", latency_ms=20)

    occurrence = scene.settled("8 rejections, limit 1 after each", scene.broadcast())

    assert (occurrence["rejected"], occurrence["accepted"]) == (8, PUSHES - 8)
    assert scene.summary()["traffic"]["apns"]["streams_refused"] > 0


def test_a_provider_that_hangs_up_on_bad_tokens_gets_the_others(scene):
    """Apple ends the connection of a sender of bad tokens (A2): in the simulator without a word."""
    scene.script(
        {"after": 100, "times": 9, "action": {"reason": "BadDeviceToken"}},
        disconnect_after_bad_tokens=3,
    )
    first = scene.settled("hung up on after three bad tokens", scene.broadcast())
    assert first["accepted"] > 0
    assert first["uncertain"] <= IN_FLIGHT
    assert first["rejected"] + first["unregistered"] <= 9

    scene.script()
    again = scene.settled("the send after that", scene.stack.broadcast(), provider=None)
    assert again["accepted"] >= PUSHES - 9


def test_a_provider_that_moves_elsewhere_is_followed(scene, switches):
    """Its name leads to another address in mid-broadcast; the old one lets its connections go."""
    here = scene.stack.simulator
    port = int(here.facts["apns_url"].rpartition(":")[2])
    folder = scene.copy_of_the_simulator("elsewhere")
    switches.lead("simulator", "127.0.0.1")
    scene.desk.store("apns", endpoint=f"https://simulator:{port}")
    with launch.start(folder, host="127.0.0.2", apns_port=port) as elsewhere:
        notification = scene.in_mid_broadcast()

        switches.lead("simulator", "127.0.0.2")
        here.control.post("/connections", {"action": "goaway", "provider": "apns"})

        [occurrence] = recover(scene.stack, "the provider moves elsewhere", notification)
        there = elsewhere.control.get("/received/summary")
    taken = scene.taken() + there["accepted"]["apns"]
    assert there["accepted"]["apns"] > 0
    assert occurrence["accepted"] == taken == MANY
    assert scene.doubled() == there["duplicates"]["by_notification_id"] == 0
