"""The vendor's own JavaScript SDK, as published, against a running gateway.

What it does is in `node/story.cjs`; what it saw is judged here, and so is what devices got.
"""

import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from devstack.place import ROOT
from simulator.identity.material import material
from tests.journeys.stack import wait_until
from tests.journeys.tls_front import tls_front

HERE = Path(__file__).parent / "node"
INSTALLING = 180
ATTEMPTS = 3
"""npm trips over its own folders now and then (ENOTEMPTY), and not the second time."""

TELLING = 120

VOIP, APNS, FCM = "cd" * 32, "ab" * 32, "dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"


def missing(why: str) -> None:
    """Skip where the tools are not to be had, but never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def install(folder):
    """Put the packages into an empty folder; give what is in the way, or nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=INSTALLING, check=False
    )
    if done.returncode:
        return done.stderr or f"npm ended with {done.returncode}"
    (folder / "complete").touch()
    return ""


@pytest.fixture(scope="session")
def modules():
    """Install the packages once for each lock file, outside what is committed."""
    if not (shutil.which("node") and shutil.which("npm")):
        missing("node and npm are not installed")
    mark = sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = ROOT / ".dev" / f"sdk-{mark}"
    for _ in range(ATTEMPTS):
        if (folder / "complete").exists() or not (trouble := install(folder)):
            break
    else:
        missing(f"the SDK cannot be installed: {trouble}")
    return folder / "node_modules"


def tell(modules, stack, *stories, package="connectycube", config, **environ):
    """Let the SDK do some stories and give what it saw."""
    told = {
        **{name: stack.app[name] for name in ("application_id", "auth_key", "auth_secret")},
        "modules": str(modules),
        "package": package,
        "stories": stories,
        "config": config,
        "url": stack.url,
        "topic": stack.simulator.facts["apns"]["topic"],
        "apns": APNS,
        "voip": VOIP,
        "fcm": FCM,
    }
    done = subprocess.run(
        ["node", str(HERE / "story.cjs")],
        input=json.dumps(told),
        env={**os.environ, "NODE_NO_WARNINGS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=TELLING,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr}\n{stack.log()[-2000:]}"
    return json.loads(done.stdout)


def received(stack, token, count):
    """Wait until a device got so many pushes and give them, oldest first."""

    def found():
        records = stack.control.get(f"/received?limit=100000&token={token}")["records"]
        return records if len(records) >= count else None

    return wait_until(f"{count} pushes", found)


def test_the_published_sdk_runs_against_us(stack, modules):
    config = {"endpoints": {"api_url": stack.url}}
    stories = ("sessions", "subscriptions", "targets", "schedules", "expiry")
    seen = tell(modules, stack, *stories, config=config)

    check_sessions(seen)
    check_subscriptions(seen)
    check_targets(seen)
    check_schedules(seen)
    assert (seen["refused"]["code"], seen["expired"]) == (401, 1)
    check_devices(stack, seen)


def check_sessions(seen):
    assert seen["application"]["user_id"] is None
    person = seen["signedUp"]
    assert (person["login"], person["external_id"]) == ("sdk-user", "crm-17")
    assert seen["taken"]["code"] == 422
    assert seen["taken"]["info"]["errors"]["login"] == ["has already been taken"]
    assert seen["loggedIn"]["id"] == seen["user"]["user_id"] == person["id"]
    assert seen["updated"]["full_name"] == "SDK User"
    assert [item["id"] for item in seen["found"]["items"]] == [person["id"]]


def check_subscriptions(seen):
    names = [
        [row["subscription"]["notification_channel"]["name"] for row in rows]
        for rows in seen["subscribed"]
    ]
    assert names == [["apns"], ["apns_voip"], ["gcm"]]
    assert seen["wrongToken"]["info"] == {
        "errors": {"client_identification_sequence": ["is invalid"]}
    }
    ids = [row["subscription"]["id"] for rows in seen["subscribed"] for row in rows]
    assert [row["subscription"]["id"] for row in seen["listed"]] == ids
    assert seen["left"] == seen["listed"]


def check_targets(seen):
    def channels(name):
        return [event["notification_channel"]["name"] for event in seen[name]]

    assert channels("byIds") == ["apns", "gcm"]
    assert channels("call") == ["apns_voip", "gcm"]
    assert channels("byAny") == channels("platform") == ["gcm"]
    for name in ("byExternal", "byAll", "byExclude"):
        assert channels(name) == ["apns"]
    assert seen["nobody"]["info"] == {"errors": ["No one can receive the message"]}
    assert {(event["occured_count"], event["active"]) for event in seen["ran"]} == {(1, False)}


def check_schedules(seen):
    fixed, periodic = (seen["scheduled"][name] for name in ("fixed", "periodic"))
    assert (fixed["event_type"], periodic["event_type"]) == ("fixed_date", "period_date")
    assert (fixed["occured_count"], fixed["active"]) == (0, True)
    assert seen["fixedRan"]["occured_count"] == seen["periodicRan"]["occured_count"] == 1
    assert seen["periodicRan"]["active"] is True
    assert (seen["paused"]["active"], seen["resumed"]["active"]) == (False, True)
    assert seen["again"]["occured_count"] == 2
    assert seen["deleted"]["code"] == 404
    listed = [item["event"]["id"] for item in seen["mine"]["items"]]
    assert periodic["id"] not in listed
    assert fixed["id"] in listed


def check_devices(stack, seen):
    topic = stack.simulator.facts["apns"]["topic"]
    # by ids, external id, all tags, excluded tags, and twice at a date
    pushes = received(stack, APNS, 6)
    assert [push["payload"] for push in pushes] == [{"aps": {"alert": {"body": "Hello"}}}] * 6
    assert {(p["topic"], p["headers"]["apns-push-type"]) for p in pushes} == {(topic, "alert")}
    [call] = received(stack, VOIP, 1)
    assert (call["topic"], call["headers"]["apns-push-type"]) == (f"{topic}.voip", "voip")
    # by ids, any tag, beside the call, in the platform's own form, and at a date
    messages = [push["payload"]["message"] for push in received(stack, FCM, 5)]
    texts = sorted(message["data"]["message"] for message in messages)
    assert texts == ["Hello", "Hello", "Hello", "New message arrived", "Ring"]
    keys = {message["android"]["collapse_key"] for message in messages}
    made = [seen[name][-1]["id"] for name in ("byIds", "byAny", "call", "platform")]
    assert keys == {f"event{id_}" for id_ in (*made, seen["scheduled"]["periodic"]["id"])}


def test_an_older_sdk_signs_and_speaks_tls_only(stack, modules, tmp_path):
    identity = material(tmp_path)
    with tls_front(stack.port, identity.server_file) as port:
        seen = tell(
            modules,
            stack,
            *("sessions", "subscriptions"),
            package="connectycube-signing",
            config={"endpoints": {"api": f"localhost:{port}"}},
            NODE_EXTRA_CA_CERTS=str(identity.ca_file),
        )
    check_sessions(seen)
    check_subscriptions(seen)
    with stack.database() as database:
        [(nonces,)] = database.execute("SELECT count(*) FROM crm_usednonce").fetchall()
    assert nonces >= 2
