"""Every way the script can make the APNs side misbehave, seen from a plain client."""

import time

import h2.events as ev
import httpx
import pytest

from simulator.apns.reasons import STATUS
from simulator.launch import ControlError
from tests.simulator.raw_http2 import RawClient

TOKEN = "ef" * 32


@pytest.fixture
def raw(simulator, apple):
    with RawClient(simulator.port("apns"), simulator.tls(protocols=("h2",))) as raw:
        raw.auth = {
            "authorization": f"bearer {apple.bearer}",
            "apns-topic": "com.example.demo",
        }
        yield raw


def push(raw, token=TOKEN, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    stream = raw.request(f"/3/device/{token}", raw.auth | named, b'{"aps":{}}')
    raw.flush()
    return stream


@pytest.mark.parametrize("reason", sorted(STATUS))
def test_every_reason_can_be_ordered_for_one_token(simulator, apple, reason):
    simulator.rule({"reason": reason}, token=TOKEN)
    answer = apple.push(TOKEN)
    assert (answer.status_code, answer.json()["reason"]) == (STATUS[reason], reason)
    assert ("timestamp" in answer.json()) == (answer.status_code == 410)
    assert apple.push().status_code == 200


def test_reasons_can_be_ordered_for_an_app_or_for_everybody(simulator, apple):
    simulator.rule({"reason": "TopicDisallowed"}, topic="com.example.one")
    assert apple.reason(TOKEN, apns_topic="com.example.one") == "400 TopicDisallowed"
    assert apple.push(TOKEN).status_code == 200
    simulator.rule({"status": 503})
    assert apple.reason(TOKEN) == "503 ServiceUnavailable"


@pytest.mark.parametrize(("when", "ahead"), [("past", False), ("future", True), (42, False)])
def test_a_410_may_lie_in_the_past_or_the_future(simulator, apple, when, ahead):
    simulator.rule({"reason": "Unregistered", "timestamp": when}, token=TOKEN)
    stamp = apple.push(TOKEN).json()["timestamp"]
    assert (stamp > time.time() * 1000) == ahead
    assert when != 42 or stamp == 42


def test_rules_count(simulator, apple):
    simulator.rule({"status": 500}, after=1, every=2, times=2)
    statuses = [apple.push(TOKEN).status_code for _ in range(7)]
    assert statuses == [200, 200, 500, 200, 500, 200, 200]
    (rule,) = simulator.control.get("/script")["rules"]
    assert rule["hits"] == 2


def test_chance_repeats_itself_with_the_same_seed(simulator, apple):
    def run():
        simulator.control.delete("/script")
        simulator.rule({"status": 500}, probability=0.5, seed=7, token_prefix="ef")
        return [apple.push(TOKEN).status_code for _ in range(12)]

    first = run()
    assert set(first) == {200, 500}
    assert run() == first


def test_a_token_of_its_own_comes_before_the_general(simulator, apple):
    simulator.control.put(
        "/script",
        {
            "rules": [
                {"action": {"status": 503}},
                {"match": {"token": TOKEN}, "action": {"reason": "BadDeviceToken"}},
            ]
        },
    )
    assert apple.reason(TOKEN) == "400 BadDeviceToken"
    assert apple.reason() == "503 ServiceUnavailable"


@pytest.mark.parametrize(
    ("action", "content"),
    [
        ({"status": 503, "body": "empty"}, b""),
        ({"status": 503, "text": "so sorry"}, b"so sorry"),
        ({"reason": "BadTopic", "body": "split"}, b'{"reason":"BadTopic"}'),
    ],
)
def test_odd_bodies(simulator, apple, action, content):
    simulator.rule(action)
    assert apple.push(TOKEN).content == content


def test_an_html_body(simulator, apple):
    simulator.rule({"status": 502, "body": "html"})
    answer = apple.push(TOKEN)
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.content.startswith(b"<!DOCTYPE")


def test_a_split_body_comes_in_two_frames(simulator, raw):
    simulator.rule({"reason": "BadTopic", "body": "split"})
    stream = push(raw)
    assert raw.answered(stream) == 400
    assert len([e for e in raw.of(ev.DataReceived, stream) if e.data]) == 2


def test_the_id_can_go_missing_or_shout_or_be_a_stranger(simulator, apple, push_id):
    assert apple.push(TOKEN, apns_id=push_id).headers["apns-id"] == push_id
    for kind, expected in (("missing", None), ("upper", push_id.upper())):
        simulator.control.put("/script", {"rules": [{"action": {"apns_id": kind}}]})
        assert apple.push(TOKEN, apns_id=push_id).headers.get("apns-id") == expected
    simulator.control.put("/script", {"rules": [{"action": {"apns_id": "other"}}]})
    assert apple.push(TOKEN, apns_id=push_id).headers["apns-id"] != push_id


def test_extra_headers_and_a_late_answer(simulator, apple):
    simulator.rule({"headers": {"X-Odd": "yes"}, "delay_ms": 120})
    began = time.monotonic()
    assert apple.push(TOKEN).headers["x-odd"] == "yes"
    assert time.monotonic() - began >= 0.12


def test_latency_is_before_the_verdict_and_delay_after_it(simulator, raw):
    simulator.settings("apns", latency_ms=400)
    push(raw)
    time.sleep(0.1)
    assert simulator.summary["accepted"]["apns"] == 0
    raw.socket.close()
    time.sleep(0.5)
    assert simulator.summary["accepted"]["apns"] == 0


def test_a_stream_can_be_reset_with_any_code(simulator, raw):
    simulator.rule({"wire": "reset", "code": 11}, times=1)
    simulator.rule({"wire": "refuse"}, times=1)
    for code in (11, 7):
        stream = push(raw)
        raw.wait(lambda stream=stream: raw.of(ev.StreamReset, stream))
        assert raw.of(ev.StreamReset, stream)[0].error_code == code
    assert raw.answered(push(raw)) == 200


def test_one_push_can_stall_while_others_pass(simulator, raw):
    simulator.rule({"wire": "stall"}, token=TOKEN)
    assert raw.answered(push(raw, token="aa" * 32)) == 200
    silent, loud = push(raw), push(raw, token="aa" * 32)
    assert raw.answered(loud) == 200
    assert raw.status(silent) is None
    assert [r["verdict"] for r in simulator.received(token=TOKEN)] == ["stall"]


def test_a_connection_can_fall_silent(simulator, raw):
    simulator.rule({"wire": "stall_connection"}, times=1)
    push(raw)
    raw.h2.ping(b"12345678")
    raw.flush()
    assert not raw.wait(lambda: raw.of(ev.PingAckReceived), seconds=0.3)
    assert not raw.ended


def test_a_connection_can_be_cut_before_or_after_accepting(simulator, apple):
    simulator.rule({"wire": "disconnect"}, times=1)
    simulator.rule({"wire": "disconnect", "accept": True}, times=1)
    for accepted in (0, 1):
        with pytest.raises(httpx.TransportError):
            apple.push(TOKEN)
        assert simulator.summary["accepted"]["apns"] == accepted
    assert simulator.summary["faults"]["apns"] == {"disconnect": 2}


def test_a_connection_can_be_cut_in_the_middle_of_a_body(simulator, raw):
    simulator.rule({"reason": "BadTopic", "wire": "disconnect_mid_body"})
    stream = push(raw)
    raw.wait(lambda: raw.ended)
    assert raw.ended
    assert raw.status(stream) == 400
    assert raw.of(ev.DataReceived, stream)
    assert not raw.of(ev.StreamEnded, stream)


def test_goaway_after_the_answer(simulator, raw):
    simulator.rule({"goaway": {"reason": "Shutdown"}}, after=1)
    assert raw.answered(push(raw)) == 200
    stream = push(raw)
    raw.wait(lambda: raw.of(ev.ConnectionTerminated))
    (farewell,) = raw.of(ev.ConnectionTerminated)
    assert raw.status(stream) == 200
    assert (farewell.error_code, farewell.last_stream_id) == (0, stream)
    assert farewell.additional_data == b'{"reason": "Shutdown"}'
    raw.wait(lambda: raw.ended)
    assert raw.ended


def test_goaway_instead_of_the_answer_leaves_the_push_unprocessed(simulator, raw):
    simulator.rule({"goaway": {"last": "previous", "code": 2, "reason": "Internal"}}, after=1)
    served = push(raw)
    assert raw.answered(served) == 200
    stream = push(raw)
    raw.wait(lambda: raw.of(ev.ConnectionTerminated))
    (farewell,) = raw.of(ev.ConnectionTerminated)
    assert (farewell.error_code, farewell.last_stream_id) == (2, served)
    assert raw.status(stream) is None
    assert simulator.summary["accepted"]["apns"] == 1


def test_goaway_before_the_answer_still_answers(simulator, apple, raw):
    simulator.rule({"goaway": {"order": "before", "last": 2147483647, "close": "never"}})
    push(raw)
    raw.wait(lambda: raw.of(ev.ConnectionTerminated))
    assert raw.of(ev.ConnectionTerminated)[0].last_stream_id == 2147483647
    assert not raw.ended
    assert simulator.summary["accepted"]["apns"] == 1


def test_goaway_every_few_requests(simulator, apple):
    simulator.rule({"goaway": {}}, every=3)
    assert {apple.push(TOKEN).status_code for _ in range(9)} == {200}
    assert simulator.summary["traffic"]["apns"]["connections_opened"] >= 3


def test_idle_connections_can_be_told_to_go(simulator, raw):
    assert raw.answered(push(raw)) == 200
    order = {"provider": "apns", "action": "goaway", "goaway": {"reason": "IdleTimeout"}}
    assert simulator.control.post("/connections", order)["connections"] >= 1
    raw.wait(lambda: raw.of(ev.ConnectionTerminated))
    assert raw.of(ev.ConnectionTerminated)[0].additional_data == b'{"reason": "IdleTimeout"}'


def test_living_connections_are_listed_and_can_be_cut(simulator, raw):
    assert raw.answered(push(raw)) == 200
    living = simulator.control.get("/connections")["connections"]
    mine = max(c["number"] for c in living if c["provider"] == "apns")
    order = {"provider": "apns", "action": "disconnect", "number": mine}
    assert simulator.control.post("/connections", order) == {"connections": 1}
    raw.wait(lambda: raw.ended)
    assert raw.ended


def test_many_bad_tokens_cost_the_connection(simulator, raw):
    simulator.settings("apns", disconnect_after_bad_tokens=3)
    for _ in range(2):
        assert raw.answered(push(raw, token="bad")) == 400
    assert raw.answered(push(raw)) == 200  # patience begins anew
    for _ in range(3):
        assert raw.answered(push(raw, token="bad")) == 400
    raw.wait(lambda: raw.ended)
    assert raw.ended


def test_strange_header_octets_are_survived_and_recorded(simulator, raw):
    stream = push(raw, x_strange=b"caf\xc3\xa9 \xff\xfe")
    assert raw.answered(stream) == 200
    assert "caf" in simulator.received(token=TOKEN)[0]["headers"]["x-strange"]
    assert raw.answered(push(raw)) == 200


@pytest.mark.parametrize(
    "script",
    [
        {"rules": [{"action": {"wire": "explode"}}]},
        {"rules": [{"match": {"planet": "mars"}, "action": {}}]},
        {"rules": [{"action": {}, "every": 0}]},
        {"rules": [{"action": {"goaway": {"last": "never"}}}]},
        {"rules": [{"action": {"status": "503"}}]},
        {"settings": {"apns": {"max_streams": "many"}}},
        {"settings": {"apns": {"over_limit": "shrug"}}},
        {"settings": {"hcm": {}}},
        {"surprise": 1},
    ],
)
def test_a_script_that_makes_no_sense_changes_nothing(simulator, script):
    simulator.rule({"status": 500})
    before = simulator.control.get("/script")
    with pytest.raises(ControlError, match="400"):
        simulator.control.put("/script", script)
    assert simulator.control.get("/script") == before
