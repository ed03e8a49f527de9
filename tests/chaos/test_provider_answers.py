"""What a provider answers: halves, pages, refusals, and for minutes on end that it is unwell."""

import time

import pytest

from devstack.programs import PROCESSES
from tests.chaos.scene import PUSHES
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

UNWELL = [
    {"every": 9, "action": {"status": 503, "body": "empty"}},
    {"every": 9, "action": {"status": 503, "body": "html"}},
    {"every": 9, "action": {"status": 500, "body": "split"}},
    {"every": 9, "action": {"status": 502, "text": '{"reason": 7, "error": "a string"}'}},
]
NAMELESS = [{"every": 5, "action": {"apns_id": spelt}} for spelt in ("missing", "upper", "other")]
CUT = [{"every": 50, "times": 3, "action": {"wire": "disconnect_mid_body", "accept": True}}]

OTHER_APP = 3
"""Phones of the app that must not notice what befalls another."""


@pytest.mark.parametrize("provider", ["apns", "fcm"])
def test_half_answers_cost_no_push_and_double_none(scene, provider):
    scene.script(*(NAMELESS if provider == "apns" else []), *CUT, *UNWELL, provider=provider)
    notification = scene.broadcast(provider=provider)
    scene.postponed(notification)

    scene.script(provider=provider)

    occurrence = scene.well_again(f"half answers of {provider}", notification, provider=provider)
    assert occurrence["accepted"] + occurrence["uncertain"] == PUSHES
    assert occurrence["accepted"] > PUSHES // 2


def test_a_storm_of_503_is_waited_out_within_the_budget_and_starves_nobody(scene):
    """Contract §7.9: ten minutes of it, in fast motion: each wait is read, then skipped."""
    scene.stack.phones(OTHER_APP, "android")
    other = scene.stack.app
    scene.stack.app = scene.stack.new_app()
    storm = {"match": {"provider": "fcm", "token_prefix": "fcm"}}
    scene.script({**storm, "action": {"status": 503, "retry_after": 120}}, provider="fcm")
    began = time.monotonic()
    notification = scene.broadcast(provider="fcm")
    waited, tries = 0.0, 0
    while waited < 600:
        tries += 1
        batches = scene.postponed(notification, tries=tries)
        assert min(b["wait"] for b in batches) > 100  # Retry-After is a floor, less what has passed
        waited += min(b["wait"] for b in batches)
        if tries == 2:  # the storm is at its height, and another app sends
            ours, scene.stack.app = scene.stack.app, other
            assert scene.stack.finished(scene.stack.broadcast())["accepted"] == OTHER_APP
            scene.stack.app = ours
        scene.let_pass()
    assert tries <= 6  # 120 s four times, then 160 s less a fifth, and 320 s
    assert scene.asked("fcm") <= PUSHES * (tries + 1) + OTHER_APP
    assert time.monotonic() - began < 30  # nobody sat a wait out

    scene.script(provider="fcm")
    taken_by_others = scene.taken("fcm")
    occurrence = scene.well_again("503 for ten minutes", notification, provider=None)
    assert occurrence["accepted"] == scene.taken("fcm") - taken_by_others == PUSHES


def test_apple_unwell_is_left_alone_for_a_quarter_of_an_hour(scene):
    scene.script({"action": {"reason": "ServiceUnavailable"}})
    notification = scene.broadcast()

    batches = scene.postponed(notification)

    assert min(b["wait"] for b in batches) > 800
    assert scene.asked() == PUSHES
    scene.script()
    occurrence = scene.well_again("503 of Apple", notification)
    assert occurrence["accepted"] == PUSHES


def test_a_part_refused_for_its_bearer_is_sent_again_with_a_new_one(scene):
    scene.script({"times": 60, "action": {"reason": "UNAUTHENTICATED"}}, provider="fcm")

    occurrence = scene.settled(
        "401 for part of a batch", scene.broadcast(provider="fcm"), provider="fcm"
    )

    assert occurrence["accepted"] == PUSHES
    assert scene.asked("fcm") == PUSHES + 60
    assert scene.summary()["token_requests"] <= 2 * PROCESSES  # each: the first, another


def test_apples_leg_shut_at_google_stops_ios_and_nothing_else(scene):
    """Contract §7.11."""
    shut = {"match": {"provider": "fcm", "token_prefix": "fcm1"}}
    scene.script({**shut, "action": {"reason": "THIRD_PARTY_AUTH_ERROR"}}, provider="fcm")
    notification = scene.broadcast(100, provider="fcm")
    ios = sum(1 for token in scene.addresses() if token.startswith("fcm1"))
    wait_until(
        "the Android leg is over",
        lambda: scene.stack.occurrence(notification)["accepted"] == 100 - ios > 0,
    )
    assert scene.summary()["token_requests"] <= PROCESSES  # no bearer was blamed
    assert scene.living() == 100

    scene.script(provider="fcm")
    occurrence = scene.well_again("THIRD_PARTY_AUTH_ERROR", notification, provider="fcm")
    assert occurrence["accepted"] == 100


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("apns", "BadDeviceToken"),
        ("apns", "DeviceTokenNotForTopic"),
        ("fcm", "SENDER_ID_MISMATCH"),
        ("fcm", "NOT_FOUND"),
    ],
)
def test_a_whole_app_called_dead_or_unknown_loses_no_token_and_flows_again(scene, provider, reason):
    """Contract §7.8 and §7.12: a wrong host, topic, project or URL looks like this."""
    scene.script({"action": {"reason": reason}}, provider=provider)
    notification = scene.broadcast(200, provider=provider)
    wait_until("held back", lambda: scene.held(notification))
    asked = scene.asked(provider)
    assert scene.living() == 200
    assert scene.stack.occurrence(notification)["unregistered"] == 0
    assert asked <= 400  # each token once; and its sibling environment, for Apple's

    scene.script(provider=provider)
    occurrence = scene.well_again(f"{reason} for everybody", notification, provider=provider)
    assert occurrence["accepted"] == 200
    assert scene.living() == 200


def test_a_few_tokens_of_another_sender_are_dropped_while_others_are_accepted(scene):
    few = {"every": 40, "times": 5, "action": {"reason": "SENDER_ID_MISMATCH"}}
    scene.script(few, provider="fcm")

    occurrence = scene.settled(
        "SENDER_ID_MISMATCH for five", scene.broadcast(200, provider="fcm"), provider="fcm"
    )

    assert (occurrence["unregistered"], occurrence["accepted"]) == (5, 195)
    assert scene.living() == 195


@pytest.mark.parametrize(("when", "left"), [("past", 100), ("future", 95)])
def test_a_token_dies_only_of_a_death_after_its_registration(scene, when, left):
    """Contract §7.7."""
    gone = {"every": 20, "action": {"reason": "Unregistered", "timestamp": when}}
    scene.script(gone)

    occurrence = scene.settled(f"410 of the {when}", scene.broadcast(100))

    assert (occurrence["unregistered"], occurrence["accepted"]) == (5, 95)
    assert scene.living() == left
