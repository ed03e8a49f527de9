"""What Apple documents about one push: headers, sizes, topics, tokens."""

import json
import re
import time

import pytest

from tests.simulator.plain_clients import MISSING

TOKEN = "ab" * 32


def test_a_good_push_is_accepted_and_its_id_comes_back(apple, push_id):
    answer = apple.push(apns_id=push_id)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["apns-id"] == push_id
    assert answer.http_version == "HTTP/2"


def test_an_absent_id_is_invented(apple):
    invented = apple.push().headers["apns-id"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", invented)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"apns_id": "not-a-uuid"}, "400 BadMessageId"),
        ({"apns_id": "A5AC17D2-8DD4-4D9B-8D22-4F3C1C5A2E11"}, "400 BadMessageId"),
        ({"apns_expiration": "tomorrow"}, "400 BadExpirationDate"),
        ({"apns_expiration": "-1"}, "400 BadExpirationDate"),
        ({"apns_priority": "7"}, "400 BadPriority"),
        ({"apns_push_type": "background", "apns_priority": "10"}, "400 BadPriority"),
        ({"apns_push_type": "shout"}, "400 InvalidPushType"),
        ({"apns_collapse_id": "x" * 65}, "400 BadCollapseId"),
        ({"apns_topic": MISSING}, "400 MissingTopic"),
        ({"apns_topic": "no spaces allowed"}, "400 BadTopic"),
        ({"apns_push_type": "voip"}, "400 BadTopic"),
        ({"apns_push_type": "liveactivity"}, "400 BadTopic"),
    ],
)
def test_a_bad_header_is_named(apple, headers, expected):
    assert apple.reason(TOKEN, **headers) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"apns_expiration": "0"},
        {"apns_expiration": "1893456000", "apns_priority": "5"},
        {"apns_priority": "1"},
        {"apns_push_type": "background", "apns_priority": "5"},
        {"apns_push_type": MISSING},
        {"apns_collapse_id": "x" * 64},
        {"apns_push_type": "voip", "apns_topic": "com.example.demo.voip"},
        {"apns_push_type": "pushtotalk", "apns_topic": "com.example.demo.voip-ptt"},
        {
            "apns_push_type": "liveactivity",
            "apns_topic": "com.example.demo.push-type.liveactivity",
        },
        {"apns_push_type": "location", "apns_topic": "com.example.demo.location-query"},
    ],
)
def test_what_the_documents_allow_is_allowed(apple, headers):
    assert apple.push(TOKEN, **headers).status_code == 200


def test_a_header_given_twice_is_refused(simulator, apple):
    answer = apple.client.post(
        f"{simulator.facts['apns_url']}/3/device/{TOKEN}",
        headers=[
            ("authorization", f"bearer {apple.bearer}"),
            ("apns-topic", "com.example.demo"),
            ("apns-topic", "com.example.demo"),
        ],
        json={"aps": {}},
    )
    assert answer.json() == {"reason": "DuplicateHeaders"}


def body_of(size: int) -> bytes:
    empty = len(json.dumps({"aps": ""}))
    return json.dumps({"aps": "x" * (size - empty)}).encode()


def test_the_body_may_have_4096_octets_and_not_one_more(apple):
    assert apple.push(TOKEN, body_of(4096)).status_code == 200
    assert apple.reason(TOKEN, body_of(4097)) == "413 PayloadTooLarge"


def test_a_voip_push_may_have_5120(apple):
    voip = {"apns_push_type": "voip", "apns_topic": "com.example.demo.voip"}
    assert apple.push(TOKEN, body_of(5120), **voip).status_code == 200
    assert apple.reason(TOKEN, body_of(5121), **voip) == "413 PayloadTooLarge"


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]"])
def test_a_body_that_is_no_object_is_as_good_as_empty(apple, body):
    assert apple.reason(TOKEN, body) == "400 PayloadEmpty"


@pytest.mark.parametrize("token", ["xyz", "ab", "ab" * 31, "ab" * 32 + "c", "zz" * 32])
def test_a_malformed_token_is_bad(apple, token):
    assert apple.reason(token) == "400 BadDeviceToken"


def test_paths_and_methods(simulator, apple):
    url = simulator.facts["apns_url"]
    assert apple.client.get(f"{url}/3/device/{TOKEN}").json() == {"reason": "MethodNotAllowed"}
    assert apple.client.post(f"{url}/4/device/{TOKEN}").json() == {"reason": "BadPath"}
    assert apple.reason("") == "400 MissingDeviceToken"


def test_the_sample_tokens_behave_as_they_are_called(simulator, apple):
    tokens = simulator.facts["tokens"]
    gone = apple.push(tokens["apns_gone"])
    assert apple.push(tokens["apns_ok"]).status_code == 200
    assert gone.status_code == 410
    assert gone.json()["reason"] == "Unregistered"
    assert gone.json()["timestamp"] < time.time() * 1000
    assert apple.reason(tokens["apns_other_topic"]) == "400 DeviceTokenNotForTopic"
    assert apple.push(tokens["apns_other_topic"], apns_topic="com.example.other").is_success


def test_a_token_of_the_other_environment_is_bad(simulator, apple):
    issued = simulator.control.post("/tokens", {"provider": "apns", "environment": "sandbox"})
    (token,) = issued["tokens"]
    assert apple.push(token).headers["apns-unique-id"]
    simulator.settings("apns", environment="production")
    assert apple.reason(token) == "400 BadDeviceToken"
    simulator.settings("apns", environment="sandbox")
    assert apple.push(token).headers["apns-unique-id"]
    assert "apns-unique-id" in apple.push(TOKEN).headers


def test_the_host_name_chooses_the_environment(simulator, apple):
    issued = simulator.control.post("/tokens", {"provider": "apns", "environment": "sandbox"})
    (token,) = issued["tokens"]
    assert apple.push(token, host="api.sandbox.push.apple.com").status_code == 200
    assert apple.reason(token, host="api.push.apple.com") == "400 BadDeviceToken"
    assert apple.push(token, host="api.development.push.apple.com").status_code == 200


def test_strangers_can_be_shut_out(simulator, apple):
    assert apple.push(TOKEN).status_code == 200
    simulator.settings("apns", known_tokens_only=True)
    assert apple.reason(TOKEN) == "400 BadDeviceToken"
    assert apple.push(simulator.facts["tokens"]["apns_ok"]).status_code == 200


def test_a_token_can_die_and_be_forgotten(simulator, apple):
    (token,) = simulator.control.post("/tokens", {"provider": "apns"})["tokens"]
    assert apple.push(token).status_code == 200
    simulator.control.post(f"/tokens/{token}/gone", {"gone_at_ms": 1_700_000_000_000})
    assert apple.push(token).json() == {"reason": "Unregistered", "timestamp": 1_700_000_000_000}
    simulator.control.delete(f"/tokens/{token}")
    assert apple.push(token).status_code == 200
