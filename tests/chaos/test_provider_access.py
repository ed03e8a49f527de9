"""What lets us in: tokens that age, keys and certificates that are changed, end or are missed."""

import shutil
import time

import pytest

from devstack.programs import PROCESSES
from simulator import launch
from tests.chaos import certificates
from tests.chaos.scene import MANY, PUSHES, key_of
from tests.chaos.strict_door import strict_door
from tests.journeys.stack import wait_until

pytestmark = pytest.mark.chaos

HOUR, GRID = 3600, 900  # Apple's limit; the step to which our issue times are rounded


def held(scene, notification, word):
    """Wait until a send is held back for a reason with this word in it."""
    wait_until(
        f"held back for {word!r}",
        lambda: all(word in reason for reason in scene.held(notification) or [""]),
    )


def test_a_provider_token_that_ages_in_mid_broadcast_is_replaced_once(scene):
    """Contract §7.6: the token of a running send becomes an hour old."""
    age = time.time() % GRID  # of the token that is about to be signed: a fresh one ends too late
    time.sleep(max(0, 30 - age))
    issued_at = time.time() // GRID * GRID
    notification = scene.in_mid_broadcast()

    scene.script(clock_offset_s=int(HOUR - (time.time() - issued_at) / 2))

    occurrence = scene.settled("provider token an hour old", notification)
    assert occurrence["accepted"] == MANY
    answers = scene.summary()["answers"]["apns"]
    assert answers["ExpiredProviderToken"] > 0
    assert "TooManyProviderTokenUpdates" not in answers


def test_a_key_changed_in_mid_broadcast_loses_and_doubles_nothing(scene):
    old, new = scene.new_key(), scene.new_key()
    scene.desk.store("apns", **old)
    notification = scene.in_mid_broadcast(5 * MANY)  # some seconds, however slow the desk is

    scene.desk.store("apns", **new)
    scene.script()

    occurrence = scene.settled("key changed in mid-broadcast", notification)
    assert occurrence["accepted"] == 5 * MANY
    assert {key_of(record) for record in scene.received()} == {old["key_id"], new["key_id"]}


def test_a_key_revoked_in_mid_broadcast_holds_what_is_left_until_there_is_another(scene):
    old, new = scene.new_key(), scene.new_key()
    scene.desk.store("apns", **old)
    notification = scene.in_mid_broadcast()

    scene.stack.control.delete(f"/apns/keys/{old['key_id']}")
    wait_until("held back", lambda: "InvalidProviderToken" in str(scene.batches(notification)))
    scene.script()
    scene.desk.store("apns", **new)

    occurrence = scene.well_again("key revoked, another stored", notification)
    assert occurrence["accepted"] == MANY
    assert scene.living() == MANY


def test_a_client_certificate_that_has_ended_stops_the_app_until_it_is_renewed(scene):
    folder = scene.copy_of_the_simulator("strict")
    with strict_door(folder) as port:
        ended = certificates.push_certificate(folder, ended=True)
        there = {"endpoint": f"https://127.0.0.1:{port}"}
        scene.desk.store("apns", secret=ended, **there)
        notification = scene.broadcast(100)
        held(scene, notification, "expired")

    with launch.start(folder, apns_port=port) as apple:
        renewed = certificates.push_certificate(folder, ended=False)
        scene.desk.store("apns", secret=renewed, **there)
        occurrence = scene.well_again("client certificate ended", notification, provider=None)
        assert apple.control.get("/received/summary")["accepted"]["apns"] == 100
    assert occurrence["accepted"] == 100


def test_a_server_certificate_that_has_ended_is_not_believed_and_harms_no_push(scene):
    folder = scene.copy_of_the_simulator("ended")
    (folder / "server.pem").write_text(certificates.server_certificate(folder, ended=True))
    with launch.start(folder) as unfit:
        port = int(unfit.facts["apns_url"].rpartition(":")[2])
        scene.desk.store("apns", endpoint=unfit.facts["apns_url"])
        notification = scene.broadcast(100)
        held(scene, notification, "expired")
        assert unfit.control.get("/received/summary")["received"] == 0

    shutil.copy(scene.stack.base / "simulator" / "server.pem", folder / "server.pem")
    with launch.start(folder, apns_port=port) as renewed:
        occurrence = scene.well_again("server certificate ended", notification, provider=None)
        assert renewed.control.get("/received/summary")["accepted"]["apns"] == 100
    assert occurrence["accepted"] == 100


def test_bearers_that_end_in_mid_broadcast_are_renewed(scene):
    notification = scene.in_mid_broadcast(provider="fcm")

    scene.stack.control.post("/fcm/bearers/expire")
    scene.script(provider="fcm")

    occurrence = scene.settled("bearers ended", notification, provider="fcm")
    assert occurrence["accepted"] == MANY
    assert scene.summary()["token_requests"] <= 2 * PROCESSES  # each: the first, another


OUTAGES = {
    "an outage of the token endpoint": {"status": 503},
    "invalid_grant": {"reason": "invalid_grant", "status": 400},
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_without_a_bearer_the_project_rests_and_its_messages_are_kept(scene, outage):
    """Contract §7.10."""
    before = len(scene.stack.log())
    rule = {"match": {"provider": "oauth"}, "action": OUTAGES[outage]}
    scene.script(rule, provider="fcm")
    notification = scene.broadcast(provider="fcm")
    held(scene, notification, "token endpoint")
    summary = scene.summary()
    assert scene.asked("fcm") == 0
    assert summary["token_requests"] <= PROCESSES  # one a process, whatever the number of messages

    scene.script(provider="fcm")
    occurrence = scene.well_again(outage, notification, provider="fcm")
    assert occurrence["accepted"] == PUSHES
    told = scene.stack.log()[before:]
    assert (told.count(" opens: "), told.count(" closes\n")) == (1, 1)  # the operator, once each
