"""HTTP in, real worker, simulator, report out."""

import subprocess

import pytest

from devstack import programs
from tests.journeys.stack import wait_until


def test_the_vendors_own_curl_sample_rings_every_phone(stack):
    stack.phones(2, "ios")
    stack.phones(2, "android")

    # seed 000, "Sample cURL": host and keys changed and nothing else
    sample = subprocess.run(
        [
            "curl",
            "--silent",
            "--write-out",
            "\n%{http_code}",
            *("-X", "POST"),
            *("-H", "Content-Type: application/json"),
            *("-H", "Accept: application/json"),
            *("-u", f"{stack.app['api_key']}:{stack.app['server_key']}"),
            "-d",
            """{
        "broadcast": true,
        "title": "Hello World",
        "message": "from Kumulos Push"
    }""",
            f"{stack.url}/notifications",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert sample.stdout.endswith("\n201")
    wait_until("on every phone", lambda: stack.counts()["landed"] == 4, seconds=10)
    for phone in stack.control.get("/phones")["phones"]:
        [push] = phone["pushes"]
        assert (push["title"], push["body"]) == ("Hello World", "from Kumulos Push")
        assert phone["complaints"] == []


def test_a_ring_is_enough_for_a_worker_without_any_tick(stack):
    stack.phones(2, "ios")
    stack.kill("beat")
    try:
        with stack.broker() as broker:
            wait_until("the last tick is heard", lambda: not broker.llen("urgent"))
        for sent in range(1, 4):
            stack.broadcast()
            wait_until("on every phone", lambda n=sent: stack.counts()["landed"] == 2 * n)
    finally:
        stack.run("beat", programs.beat())


def test_taps_come_back_as_opens_by_install_and_by_user(stack):
    stack.phones(1, "ios", user="mark")
    stack.phones(1, "android")
    notification = stack.broadcast()
    stack.finished(notification)
    wait_until("landed", lambda: stack.counts()["landed"] == 2)

    stack.control.post("/phones/tap", {"count": 2, "notification_id": notification})

    path = f"/notifications/{notification}"
    installs = wait_until(
        "both opens",
        lambda: len(o := stack.call("GET", f"{path}/install-opens").body) == 2 and o,
    )
    users = stack.call("GET", f"{path}/user-opens").body
    ios, android = stack.control.get("/phones")["phones"]
    assert {o["installId"] for o in installs} == {ios["install_id"], android["install_id"]}
    assert {o["userId"] for o in users} == {"mark", android["install_id"]}


def test_only_who_is_named_is_pushed_to(stack):
    stack.phones(1, "ios", user="mark", name="Mark's")
    stack.phones(1, "android", user="mark")
    stack.phones(1, "ios", user="anna")
    stack.phones(1, "ios")
    anna = next(p for p in stack.control.get("/phones")["phones"] if p["user"] == "anna")

    by_user = stack.call(
        "POST", "/notifications", {"userIds": ["mark", "nobody"], "title": "T", "message": "M"}
    )
    by_install = stack.call(
        "POST",
        "/notifications",
        {"installIds": [anna["install_id"]], "title": "T", "message": "M"},
    )

    assert stack.finished(by_user.body["id"])["accepted"] == 2
    assert stack.finished(by_install.body["id"])["accepted"] == 1


@pytest.mark.parametrize("token", ["apns_gone", "fcm_gone"])
def test_a_dead_token_is_retired_and_registering_again_brings_it_back(stack, token):
    # dead since a moment after it registered: a timestamp before that would prove nothing
    gone = {"status": 410, "reason": "Unregistered", "timestamp": "future"}
    apns = {"provider": "apns", "token": stack.simulator.facts["tokens"]["apns_gone"]}
    stack.control.put("/script", {"rules": [{"match": apns, "action": gone}]})
    type_ = 1 if token.startswith("apns") else 2
    event = {
        "type": "k.push.deviceRegistered",
        "uuid": "122d2a48-1f90-4ae7-afb6-c482e323572e",
        "timestamp": 1795308088601,
        "data": {
            "type": type_,
            "token": stack.simulator.facts["tokens"][token],
            "bundleId": stack.simulator.facts["apns"]["topic"],
        },
    }
    path = "/v1/app-installs/some-phone/events"
    assert stack.call("POST", path, [event], keys="secret_key").status == 202

    assert stack.finished(stack.broadcast())["unregistered"] == 1
    assert stack.finished(stack.broadcast())["targeted"] == 0

    again = {**event, "uuid": "5d6be412-2e2a-485a-8bec-941f13e48a5f"}
    assert stack.call("POST", path, [again], keys="secret_key").status == 202
    assert stack.finished(stack.broadcast())["targeted"] == 1
