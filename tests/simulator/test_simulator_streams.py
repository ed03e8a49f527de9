"""The connection itself: how many streams, how wide a window, the price of breaking limits."""

import time

import h2.events as ev
import pytest

from tests.simulator.raw_http2 import RawClient

GOOD, BAD = "ab" * 32, "bad"


@pytest.fixture
def connect(simulator, apple):
    opened = []

    def connect(**options):
        certificate = options.pop("certificate", None)
        tls = simulator.tls(protocols=("h2",), certificate=certificate)
        raw = RawClient(simulator.port("apns"), tls, **options)
        raw.auth = {"authorization": f"bearer {apple.bearer}", "apns-topic": "com.example.demo"}
        opened.append(raw)
        return raw

    yield connect
    for raw in opened:
        raw.socket.close()


def push(raw, token=GOOD, body=b'{"aps":{}}'):
    return raw.request(f"/3/device/{token}", raw.auth, body)


def warm(raw):
    stream = push(raw)
    raw.flush()
    assert raw.answered(stream) == 200
    raw.wait(lambda: raw.max_streams() > 1)
    return raw


def test_one_stream_until_the_first_good_token_then_a_thousand(connect):
    raw = connect()
    assert raw.max_streams() == 1
    assert warm(raw).max_streams() == 1000


def test_a_bad_token_does_not_raise_the_limit(connect):
    raw = connect()
    raw.auth["authorization"] = "bearer nonsense"
    stream = push(raw)
    raw.flush()
    assert raw.answered(stream) == 403
    assert raw.max_streams() == 1


def test_a_certificate_has_the_full_limit_from_the_start(simulator, connect):
    raw = connect(certificate=simulator.facts["apns"]["certificate_file"])
    assert raw.max_streams() == 1000


def test_too_many_streams_are_answered_with_goaway_7(simulator, connect):
    raw = connect()
    raw.h2.remote_settings[ev_setting()] = 1000
    raw.h2.remote_settings.acknowledge()
    for _ in range(3):
        push(raw)
    raw.flush()
    raw.wait(lambda: raw.of(ev.ConnectionTerminated))
    assert raw.of(ev.ConnectionTerminated)[0].error_code == 7
    assert simulator.summary["traffic"]["apns"]["violations"] == 1


def test_or_refused_one_by_one_if_so_ordered(simulator, connect):
    simulator.settings("apns", over_limit="refuse")
    raw = connect()
    raw.h2.remote_settings[ev_setting()] = 1000
    raw.h2.remote_settings.acknowledge()
    streams = [push(raw) for _ in range(3)]
    raw.flush()
    raw.wait(lambda: len(raw.of(ev.StreamReset)) == 2)
    assert {e.error_code for e in raw.of(ev.StreamReset)} == {7}
    assert raw.status(streams[0]) == 200
    assert simulator.summary["accepted"]["apns"] == 1


def ev_setting():
    from h2.settings import SettingCodes

    return SettingCodes.MAX_CONCURRENT_STREAMS


def test_the_limit_can_be_moved_on_living_connections(simulator, connect):
    raw = warm(connect())
    simulator.settings("apns", max_streams=5)
    raw.wait(lambda: raw.max_streams() == 5)
    assert raw.max_streams() == 5
    stream = push(raw)
    raw.flush()
    assert raw.answered(stream) == 200


def test_a_rejection_drops_the_limit_and_refuses_what_is_in_flight(simulator, connect):
    simulator.settings("apns", strict_stream_limit_after_reject=True, latency_ms=40)
    raw = warm(connect())
    streams = [push(raw, BAD), *[push(raw) for _ in range(20)]]
    raw.flush()
    raw.wait(lambda: len(raw.of(ev.StreamReset)) == 20)
    assert raw.status(streams[0]) == 400
    assert {e.error_code for e in raw.of(ev.StreamReset)} == {7}
    assert raw.max_streams() == 1
    assert simulator.summary["accepted"]["apns"] == 1  # the warm-up alone
    warm(raw)
    assert raw.max_streams() == 1000


def test_a_dead_token_does_not_count_against_the_connection(simulator, connect):
    simulator.settings("apns", strict_stream_limit_after_reject=True)
    raw = warm(connect())
    stream = push(raw, simulator.facts["tokens"]["apns_gone"])
    raw.flush()
    assert raw.answered(stream) == 410
    assert raw.max_streams() == 1000


def test_the_window_can_be_small(simulator, connect):
    simulator.settings("apns", initial_window=1000)
    raw = connect()
    assert raw.h2.remote_settings.initial_window_size == 1000


def test_window_updates_can_be_late(simulator, connect):
    simulator.settings("apns", window_update_delay_ms=300)
    raw = warm(connect())
    body = b'{"aps":"' + b"x" * 3000 + b'"}'
    before = raw.h2.outbound_flow_control_window
    streams = [push(raw, body=body) for _ in range(15)]
    raw.flush()
    sent_at = time.monotonic()
    for stream in streams:
        assert raw.answered(stream) == 200
    assert raw.h2.outbound_flow_control_window < before - 15 * 3000 + 200
    raw.wait(lambda: raw.h2.outbound_flow_control_window > before - 30_000)
    assert time.monotonic() - sent_at >= 0.3


def test_answers_wait_for_a_client_that_gives_no_window(simulator, connect):
    simulator.rule({"reason": "BadTopic", "text": "y" * 40_000})
    raw = connect()
    for expected in (40_000, 65_535):
        push(raw)
        raw.flush()
        raw.wait(lambda n=expected: size(raw) >= n)
        assert size(raw) == expected  # two answers do not fit into the first window
        raw.wait(lambda: raw.max_streams() > 1)
    raw.h2.increment_flow_control_window(60_000)
    raw.flush()
    raw.wait(lambda: size(raw) == 80_000)
    assert size(raw) == 80_000


def size(raw):
    return sum(len(e.data) for e in raw.of(ev.DataReceived))


def test_thousands_of_pushes_on_one_connection_and_nothing_is_lost(simulator, connect):
    raw = warm(connect())
    for _ in range(6):
        streams = [push(raw) for _ in range(300)]
        raw.flush()
        raw.wait(lambda last=streams[-1]: raw.of(ev.StreamEnded, last))
    summary = simulator.summary
    assert summary["accepted"]["apns"] == 1801
    assert summary["traffic"]["apns"]["violations"] == 0


def test_a_client_may_say_goodbye_and_still_gets_its_answer(simulator, connect):
    simulator.rule({"delay_ms": 150})
    raw = connect()
    stream = push(raw)
    raw.flush()
    raw.socket.sendall(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))
    assert raw.answered(stream) == 200


def test_a_client_that_does_not_speak_http2_is_noted(simulator, connect):
    raw = connect(polite=False)
    raw.socket.sendall(b"\x00\x00\x05\x06\x00\x00\x00\x00\x00hello")
    raw.wait(lambda: raw.ended)
    assert simulator.summary["traffic"]["apns"]["violations"] == 1
