"""The sans-I/O core, frame by frame."""

from itertools import pairwise

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from delivery.providers.wire import Answer, Policy, Request, Uncertain, encode_literal, frames
from delivery.providers.wire.connection import Connection
from delivery.providers.wire.frames import frame

FIELDS = ((b"apns-topic", b"com.example.app"),)
OK_BLOCK = b"\x88"
END = frames.END_STREAM | frames.END_HEADERS


class Caller:
    def __init__(self):
        self.arrived = []

    def wake(self):
        raise AssertionError("the core wakes nobody")


def ticket(caller, tag=0, *, body=b"{}", fields=FIELDS, literals=b"", path=b"/3/device/abc"):
    return (Request(path, fields, literals, body, tag), caller, 0)


def fresh(**policy):
    return Connection(b"localhost", Policy(**({"warm_up": False} | policy)))


def connected(settings=None, **policy):
    """A connection past its greeting; a first block that begins with 0x20 empties the table."""
    core = fresh(**policy)
    core.receive(frames.settings(settings or {}) + frame(frames.SETTINGS, frames.ACK, 0))
    core.take_output(0.0)
    return core


def header_block(*fields, size_update=b""):
    return size_update + Encoder().encode(list(fields))


def answer_ok(stream, block=OK_BLOCK):
    return frame(frames.HEADERS, END, stream, block)


def written(core, now=0.0):
    """What the core wants written, as (kind, flags, stream, payload)."""
    data, found = core.take_output(now), []
    while data:
        size = int.from_bytes(data[:3], "big")
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def kinds(core):
    return [kind for kind, _, _, _ in written(core)]


def start(core, caller, count=1, **request):
    return [core.start(ticket(caller, tag, **request)) for tag in range(count)]


# -- opening


def test_nothing_is_started_before_the_servers_settings():
    core, caller = fresh(), Caller()
    assert core.take_output(0.0).startswith(frames.PREFACE)
    assert start(core, caller) == [False]
    core.receive(frames.settings({}))
    assert start(core, caller) == [True]


def test_the_greeting_wants_no_push_and_no_header_table_and_opens_the_window():
    greeting = fresh(recv_window=1 << 20).take_output(0.0)[len(frames.PREFACE) :]
    size = int.from_bytes(greeting[:3], "big")
    settings = dict(frames.read_settings(greeting[9 : 9 + size]))
    assert settings[frames.HEADER_TABLE_SIZE] == settings[frames.ENABLE_PUSH] == 0
    assert greeting[9 + size :] == frames.window_update(0, (1 << 20) - 65_535)


def test_a_fresh_connection_carries_one_request_until_its_first_answer():
    core, caller = connected(warm_up=True), Caller()
    assert start(core, caller, 3) == [True, False, False]
    core.receive(answer_ok(1, b"\x20\x88"))
    assert core.room == core.policy.max_in_flight
    assert all(start(core, caller, 50))


def test_the_stream_limit_is_obeyed_as_it_moves():
    core, caller = connected({frames.MAX_CONCURRENT_STREAMS: 2}), Caller()
    assert start(core, caller, 3) == [True, True, False]
    core.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 4}))
    assert start(core, caller, 3) == [True, True, False]
    core.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 1}))
    core.receive(answer_ok(1, b"\x20\x88") + answer_ok(3) + answer_ok(5))
    assert core.in_flight == 1
    assert start(core, caller) == [False]
    core.receive(answer_ok(7))
    assert start(core, caller) == [True]
    core.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 0}))
    assert core.room == 0
    assert not core.dead


def test_our_own_limit_holds_where_the_server_has_none():
    core = connected(max_in_flight=3)
    assert sum(start(core, Caller(), 10)) == 3


# -- requests on the wire


def test_a_request_reads_back_as_it_was_asked():
    core, caller = connected(), Caller()
    secret = encode_literal(b"authorization", b"bearer x") + encode_literal(b"apns-id", b"1")
    start(core, caller, 2, literals=secret)
    decoder, sent = Decoder(), written(core)
    assert [(kind, flags, stream) for kind, flags, stream, _ in sent] == [
        (frames.HEADERS, 4, 1),
        (frames.DATA, 1, 1),
        (frames.HEADERS, 4, 3),
        (frames.DATA, 1, 3),
    ]
    for _, _, _, block in sent[::2]:
        assert [(bytes(n), bytes(v)) for n, v in decoder.decode(block, raw=True)] == [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", b"/3/device/abc"),
            (b"apns-topic", b"com.example.app"),
            (b"authorization", b"bearer x"),
            (b"apns-id", b"1"),
        ]
    assert len(sent[2][3]) < len(sent[0][3]) - 30, "the second time the fields are indices"
    assert [n for n, _ in decoder.header_table.dynamic_entries] == [b"apns-topic", b":authority"]


def test_an_empty_body_ends_the_stream_with_its_headers():
    core = connected()
    start(core, Caller(), body=b"")
    assert [(kind, flags) for kind, flags, _, _ in written(core)] == [(frames.HEADERS, END)]


def test_headers_larger_than_a_frame_continue():
    core = connected()
    start(core, Caller(), literals=encode_literal(b"x", b"v" * 40_000))
    sent = written(core)
    assert [kind for kind, *_ in sent] == [1, 9, 9, 0]
    assert [flags for _, flags, *_ in sent] == [0, 0, 4, 1]
    fields = Decoder().decode(b"".join(payload for *_, payload in sent[:3]), raw=True)
    assert fields[-1][1] == b"v" * 40_000


def test_a_server_that_shrinks_its_table_is_obeyed_in_the_next_block():
    core, caller, decoder = connected(), Caller(), Decoder()
    start(core, caller, 2)
    for *_, block in written(core)[::2]:
        decoder.decode(block)
    core.receive(frames.settings({frames.HEADER_TABLE_SIZE: 0}))
    decoder.max_allowed_table_size = 0
    start(core, caller, 2)
    blocks = [payload for kind, _, _, payload in written(core) if kind == frames.HEADERS]
    assert blocks[0][0] == 0x20
    for block in blocks:
        assert (b"apns-topic", b"com.example.app") in decoder.decode(block, raw=True)


def test_stream_ids_end_before_they_run_out():
    core, caller = connected(), Caller()
    core._last_usable = frames.MAX_STREAM_ID
    core._next = frames.MAX_STREAM_ID - 2
    assert start(core, caller, 3) == [True, True, False]
    assert core.draining
    assert written(core)[-1][2] == frames.MAX_STREAM_ID


def test_a_connection_carries_no_more_than_it_may():
    core, caller = connected(max_requests=3), Caller()
    assert sum(start(core, caller, 9)) == 3
    assert core.draining
    assert not core.done
    core.receive(answer_ok(1, b"\x20\x88") + answer_ok(3) + answer_ok(5))
    assert core.done


# -- answers


def test_plain_answers_come_back_with_their_tags_in_any_order():
    core, caller = connected(), Caller()
    start(core, caller, 3)
    core.receive(answer_ok(5, b"\x20\x88") + answer_ok(1) + answer_ok(3))
    assert [(tag, result.status) for tag, result in caller.arrived] == [
        (2, 200),
        (0, 200),
        (1, 200),
    ]
    assert core.take_touched() == [caller]
    assert core.take_touched() == []


def test_a_200_with_a_body_brings_the_body():
    core, caller = connected(), Caller()
    start(core, caller, 3)
    core.receive(answer_ok(1, b"\x20\x88"))
    core.receive(frame(1, 4, 3, b"\x88") + frame(0, 1, 3, b'{"name":"x"}'))
    core.receive(
        frame(1, 4, 5, b"\x88") + frame(0, 0, 5, b"ab") + frame(0, 0, 5) + frame(0, 1, 5, b"c")
    )
    assert caller.arrived[1:] == [
        (1, Answer(200, {}, b'{"name":"x"}')),
        (2, Answer(200, {}, b"abc")),
    ]


def test_any_other_status_brings_headers_and_body():
    core, caller = connected(), Caller()
    start(core, caller, 2)
    block = header_block((":status", "410"), ("apns-id", "A"), ("x", "1"), ("x", "2"))
    core.receive(frame(1, 4, 1, block) + frame(0, 1, 1, b'{"reason":"Unregistered"}'))
    core.receive(frame(1, END, 3, header_block((":status", "503"))))
    assert caller.arrived == [
        (0, Answer(410, {b"apns-id": b"A", b"x": b"1, 2"}, b'{"reason":"Unregistered"}')),
        (1, Answer(503, {}, b"")),
    ]


def test_headers_of_a_200_are_kept_for_whoever_wants_them():
    core = Connection(b"localhost", Policy(warm_up=False), want_headers=True)
    core.receive(frames.settings({}))
    caller = Caller()
    start(core, caller, 2)
    block = header_block((":status", "200"), ("Apns-Unique-Id", "u"), size_update=b"\x20")
    core.receive(answer_ok(1, block) + answer_ok(3, block[1:]))
    assert caller.arrived == [(n, Answer(200, {b"apns-unique-id": b"u"}, b"")) for n in (0, 1)]


def test_a_server_that_keeps_its_header_table_is_understood_all_the_same():
    core, caller, encoder = connected(), Caller(), Encoder()
    start(core, caller, 40)
    for n in range(40):
        fields = [(":status", "200"), ("apns-unique-id", f"{n % 3}"), ("x-constant", "yes")]
        core.receive(answer_ok(2 * n + 1, encoder.encode(fields)))
    assert [result.headers[b"apns-unique-id"] for _, result in caller.arrived] == [
        b"%d" % (n % 3) for n in range(40)
    ]


def test_informational_answers_are_passed_over():
    core, caller = connected(), Caller()
    start(core, caller)
    core.receive(frame(1, 4, 1, header_block((":status", "103"), ("link", "x"))))
    core.receive(frame(1, 4, 1, header_block((":status", "100"))))
    core.receive(answer_ok(1, header_block((":status", "400"))))
    assert caller.arrived == [(0, Answer(400, {}, b""))]


def test_trailers_end_an_answer():
    core, caller = connected(), Caller()
    start(core, caller, 2)
    core.receive(frame(1, 4, 1, b"\x20\x88") + frame(0, 0, 1, b"body"))
    core.receive(frame(1, END, 1, header_block(("grpc-status", "0"))))
    assert caller.arrived == [(0, Answer(200, {}, b"body"))]
    core.receive(frame(1, 4, 3, b"\x88") + frame(1, END, 3, b"\x88"))
    assert isinstance(caller.arrived[1][1], Uncertain), "a status is no trailer"
    assert not core.dead


def test_padding_priority_and_continuation_change_nothing():
    core, caller = connected(), Caller()
    start(core, caller, 2)
    block = header_block((":status", "400"), ("a", "b"))
    core.receive(frame(1, 0x20 | 0x8, 1, b"\x02" + b"\x00\x00\x00\x00\x10" + block[:1] + b"\0\0"))
    core.receive(frame(9, 0, 1, block[1:3]) + frame(9, 0, 1) + frame(9, 4, 1, block[3:]))
    core.receive(frame(0, 0x8, 1, b"\x03hel\0\0\0") + frame(0, 0x9, 1, b"\x00lo"))
    assert caller.arrived == [(0, Answer(400, {b"a": b"b"}, b"hello"))]
    assert core._consumed == 10, "padding counts against the window"


def test_what_we_do_not_know_is_ignored():
    core, caller = connected({0x99: 5, 8: 1}), Caller()
    start(core, caller)
    core.receive(
        frame(0xEE, 0xFF, 1, b"??") + frame(10, 0, 0, b"alt-svc") + frame(2, 0, 1, b"12345")
    )
    core.receive(answer_ok(1, b"\x20\x88"))
    assert caller.arrived[0][1].status == 200


def test_a_long_answer_is_cut_and_acknowledged():
    core, caller = connected(answer_cap=1000), Caller()
    start(core, caller)
    core.receive(frame(1, 4, 1, header_block((":status", "500"))))
    for _ in range(20):
        core.receive(frame(0, 0, 1, b"x" * 16_000))
    core.receive(frame(0, 1, 1, b"end"))
    assert caller.arrived == [(0, Answer(500, {}, b"x" * 1000))]
    updates = [int.from_bytes(p, "big") for k, _, s, p in written(core) if (k, s) == (8, 1)]
    assert sum(updates) >= 20 * 16_000 - 40_000


def test_everything_read_is_acknowledged_whoever_it_was_for():
    core, caller = connected(recv_window=65_535), Caller()
    start(core, caller, 2)
    core.abandon(caller)
    for stream in (1, 3):
        core.receive(frame(1, 4, stream, header_block((":status", "410"))))
    for _ in range(100):
        core.receive(frame(0, 0x8, 1, b"\x05" + b"x" * 994 + bytes(5)))
    updates = [int.from_bytes(p, "big") for k, _, s, p in written(core) if (k, s) == (8, 0)]
    assert sum(updates) >= 100_000 - 65_535 // 2


@given(st.lists(st.integers(0, 400), max_size=30))
def test_bytes_may_be_cut_anywhere(cuts):
    core, caller = connected(), Caller()
    start(core, caller, 4)
    gone = header_block((":status", "410"), ("apns-id", "A"))
    stream = b"".join(
        (
            frame(1, END, 1, b"\x20\x88"),
            frame(1, 0, 3, gone[:2]),
            frame(9, 4, 3, gone[2:]),
            frame(0, 0x9, 3, b"\x04gone" + bytes(4)),
            frame(6, 0, 0, b"12345678"),
            frame(1, 4, 5, b"\x88"),
            frame(0, 0, 5, b"a" * 50),
            frame(0, 1, 5, b"b" * 50),
            frames.settings({3: 7}),
            frame(1, END, 7, b"\x88"),
        )
    )
    edges = [0, *sorted(cut % len(stream) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        core.receive(stream[begin:end])
    assert caller.arrived == [
        (0, Answer(200, {}, b"")),
        (1, Answer(410, {b"apns-id": b"A"}, b"gone")),
        (2, Answer(200, {}, b"a" * 50 + b"b" * 50)),
        (3, Answer(200, {}, b"")),
    ]
    assert core.room == 7


def test_nothing_is_kept_of_a_finished_stream():
    core, caller = connected(max_requests=10**6), Caller()
    gone = header_block((":status", "410"), size_update=b"\x20")
    for n in range(3000):
        stream = 2 * n + 1
        start(core, caller)
        core.take_output(0.001 * n)
        core.receive(frame(1, 4, stream, gone) + frame(0, 1, stream, b"x"))
    assert len(caller.arrived) == 3000
    assert not core._streams
    assert not core._partials
    assert len(core._deadlines._notes) < 20
    assert not core._rest


# -- flow control towards the server


def test_a_body_larger_than_a_frame_is_split():
    core = connected({frames.INITIAL_WINDOW_SIZE: 1 << 20})
    start(core, Caller(), body=b"x" * 40_000)
    data = [(flags, len(payload)) for kind, flags, _, payload in written(core) if kind == 0]
    assert data == [(0, 16_384), (0, 16_384), (1, 7232)]


def test_a_body_larger_than_its_streams_window_goes_on_when_that_opens():
    core, caller = connected({frames.INITIAL_WINDOW_SIZE: 10}), Caller()
    start(core, caller, body=b"0123456789abcdefghij!")
    assert [payload for kind, _, _, payload in written(core) if kind == 0] == [b"0123456789"]
    core.receive(frames.window_update(1, 5))
    core.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 14}))
    core.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 4}))
    core.receive(frames.window_update(1, 9))  # ten below zero before it, one now
    assert [payload for kind, _, _, payload in written(core) if kind == 0] == [b"abcde", b"fghi"]
    core.receive(frames.window_update(1, 1))
    assert [payload for kind, _, _, payload in written(core) if kind == 0] == []
    core.receive(frames.window_update(1, 1))
    assert [(flags, p) for kind, flags, _, p in written(core) if kind == 0] == [(0, b"j")]
    core.receive(frames.window_update(1, 100))
    assert [(flags, p) for kind, flags, _, p in written(core) if kind == 0] == [(1, b"!")]


def test_settings_are_acknowledged_before_the_data_they_set_free():
    core = connected({frames.INITIAL_WINDOW_SIZE: 0})
    start(core, Caller())
    core.take_output(0.0)
    core.receive(frames.settings({frames.INITIAL_WINDOW_SIZE: 10}))
    assert kinds(core) == [frames.SETTINGS, frames.DATA]


def test_requests_wait_for_the_connections_window_without_opening_a_stream():
    core, caller = connected({frames.INITIAL_WINDOW_SIZE: 1 << 20}), Caller()
    assert start(core, caller, 100, body=b"x" * 1000) == [True] * 65 + [False] * 35
    sent = written(core)
    assert sum(len(payload) for kind, *_, payload in sent if kind == 0) == 65_000
    assert sum(kind == 1 for kind, *_ in sent) == 65
    assert core.full
    core.receive(frames.window_update(0, 2000))
    assert start(core, caller, 100, body=b"x" * 1000)[:3] == [True, True, False]


def test_a_window_too_small_for_any_request_is_used_all_the_same():
    core, caller = connected({frames.INITIAL_WINDOW_SIZE: 1 << 20}), Caller()
    core._uploads.window = 100
    assert start(core, caller, 2, body=b"x" * 150) == [True, False]
    core.receive(frames.window_update(0, 100))
    data = [(flags, stream, len(p)) for kind, flags, stream, p in written(core) if kind == 0]
    assert data == [(0, 1, 100), (1, 1, 50)]


def test_an_answer_that_comes_before_the_whole_body_settles_the_request():
    core, caller = connected({frames.INITIAL_WINDOW_SIZE: 10}), Caller()
    start(core, caller, 2, body=b"x" * 50)
    core.take_output(0.0)
    core.receive(answer_ok(1, header_block((":status", "413"))))
    assert caller.arrived == [(0, Answer(413, {}, b""))]
    assert written(core) == [(3, 0, 1, b"\0\0\0\x08")]
    core.receive(frames.window_update(1, 100))
    assert written(core) == []


# -- ends of streams


def test_a_refused_stream_comes_back_unsent_and_the_rest_goes_on():
    core, caller = connected(), Caller()
    start(core, caller, 3)
    core.receive(frames.rst_stream(3, 7))
    [(back, reason)] = core.take_returned()
    assert (back[0].tag, reason) == (1, "REFUSED_STREAM")
    assert caller.arrived == []
    assert core.in_flight == 2
    assert core.room == 0, "no more than are left, until they have been answered"
    core.receive(answer_ok(1, b"\x20\x88"))
    assert core.room == 3
    core.receive(answer_ok(5))
    assert core.room == 6


@pytest.mark.parametrize("code", [0, 2, 8, 11, 13, 77])
def test_any_other_reset_is_uncertain(code):
    core, caller = connected(), Caller()
    start(core, caller, 2)
    core.receive(frames.rst_stream(1, code))
    assert caller.arrived == [(0, Uncertain(f"RST_STREAM {frames.name_of(code)}"))]
    assert core.in_flight == 1


def test_a_refusal_after_the_answer_began_is_uncertain():
    core, caller = connected(), Caller()
    start(core, caller)
    core.receive(frame(1, 4, 1, b"\x20\x88") + frames.rst_stream(1, 7))
    assert caller.arrived == [(0, Uncertain("RST_STREAM REFUSED_STREAM"))]
    assert core.take_returned() == []


def test_a_goaway_below_an_answer_that_has_begun_is_uncertain():
    core, caller = connected(), Caller()
    start(core, caller, 2)
    core.receive(frame(1, 4, 1, b"\x20\x88") + frame(7, 0, 0, bytes(8)))
    assert caller.arrived == [(0, Uncertain("GOAWAY NO_ERROR"))]
    assert [back[0].tag for back, _ in core.take_returned()] == [1]
    assert core.done


def test_a_reset_after_the_whole_answer_means_nothing():
    core, caller = connected(), Caller()
    start(core, caller)
    core.receive(answer_ok(1, b"\x20\x88") + frames.rst_stream(1, 0) + frames.rst_stream(1, 7))
    assert [result.status for _, result in caller.arrived] == [200]
    assert core.take_returned() == []


def test_overdue_requests_are_cancelled_and_their_late_answers_ignored():
    core, caller, encoder = connected(request_timeout=16.0), Caller(), Encoder()
    start(core, caller, 2)
    core.take_output(100.0)
    start(core, caller)
    core.take_output(110.0)
    core.expire(115.0)
    assert caller.arrived == []
    core.expire(117.5)
    assert caller.arrived == [(tag, Uncertain("no answer in 16 s")) for tag in (0, 1)]
    assert [(kind, stream) for kind, _, stream, _ in written(core)] == [(3, 1), (3, 3)]
    late = [(":status", "200"), ("apns-id", "late"), ("x-new-in-the-table", "1")]
    core.receive(answer_ok(1, encoder.encode(late)) + frame(0, 1, 3, b"late too"))
    core.receive(answer_ok(5, encoder.encode(late)))
    assert len(caller.arrived) == 3
    assert caller.arrived[2][1].headers == {b"apns-id": b"late", b"x-new-in-the-table": b"1"}


def test_abandoning_one_caller_leaves_the_others_alone():
    core, one, two = connected(), Caller(), Caller()
    start(core, one, 2)
    start(core, two, 2)
    core.take_output(0.0)
    core.abandon(one)
    assert [(kind, stream) for kind, _, stream, _ in written(core)] == [(3, 1), (3, 3)]
    core.receive(answer_ok(1, b"\x20\x88") + answer_ok(3) + answer_ok(5) + answer_ok(7))
    assert one.arrived == []
    assert len(two.arrived) == 2


def test_an_answer_without_a_status_breaks_its_stream_only():
    core, caller = connected(), Caller()
    start(core, caller, 3)
    core.receive(answer_ok(1, header_block(("a", "b"))))
    core.receive(frame(0, 1, 3, b"data first"))
    core.receive(answer_ok(5, header_block((":status", "200"))))
    assert [type(result) for _, result in caller.arrived] == [Uncertain, Uncertain, Answer]
    assert [(k, s) for k, _, s, _ in written(core) if k == 3] == [(3, 1), (3, 3)]


# -- ends of the connection


def test_goaway_returns_what_was_not_seen_and_waits_for_the_rest():
    core, caller = connected(), Caller()
    start(core, caller, 4)
    words = b'{"reason":"Shutdown"}'
    core.receive(frame(7, 0, 0, (3).to_bytes(4, "big") + bytes(4) + words))
    assert [back[0].tag for back, _ in core.take_returned()] == [2, 3]
    assert (core.goaway.last_stream, core.goaway.code, core.goaway.debug) == (3, 0, words)
    assert str(core.goaway) == 'GOAWAY NO_ERROR {"reason":"Shutdown"}'
    assert start(core, caller) == [False]
    assert not core.done
    core.receive(answer_ok(1, b"\x20\x88") + answer_ok(3))
    assert [result.status for _, result in caller.arrived] == [200, 200]
    assert core.done


def test_a_second_goaway_may_return_more():
    core, caller = connected(), Caller()
    start(core, caller, 3)
    core.receive(frame(7, 0, 0, b"\x7f\xff\xff\xff" + bytes(4)))
    assert core.take_returned() == []
    core.receive(frame(7, 0, 0, b"\0\0\0\x01" + bytes(4)))
    assert [back[0].tag for back, _ in core.take_returned()] == [1, 2]


def test_a_lost_connection_leaves_what_was_written_uncertain_and_returns_what_was_not():
    core, caller = connected(), Caller()
    start(core, caller, 2)
    core.take_output(0.0)
    core.start(ticket(caller, "never written"))
    core.lost("connection lost: reset")
    assert caller.arrived == [(tag, Uncertain("connection lost: reset")) for tag in (0, 1)]
    assert [back[0].tag for back, _ in core.take_returned()] == ["never written"]
    core.lost("again")
    assert len(caller.arrived) == 2
    assert core.take_output(0.0) == b""


BROKEN = {
    "no SETTINGS first": (frame(6, 0, 0, bytes(8)), False),
    "an acknowledgement first": (frame(4, 1, 0), False),
    "HTTP/1.1": (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
    "DATA on stream 0": (frame(0, 0, 0, b"x"), True),
    "DATA on a stream never opened": (frame(0, 1, 9, b"x"), True),
    "DATA on a stream of the server": (frame(0, 1, 2, b"x"), True),
    "HEADERS on stream 0": (frame(1, END, 0, b"\x88"), True),
    "HEADERS on a stream never opened": (frame(1, END, 99, b"\x88"), True),
    "RST_STREAM on a stream never opened": (frames.rst_stream(9, 0), True),
    "RST_STREAM on stream 0": (frames.rst_stream(0, 0), True),
    "RST_STREAM of three bytes": (frame(3, 0, 1, b"abc"), True),
    "WINDOW_UPDATE on a stream never opened": (frames.window_update(9, 1), True),
    "WINDOW_UPDATE of nothing": (frames.window_update(0, 0), True),
    "WINDOW_UPDATE of five bytes": (frame(8, 0, 0, bytes(5)), True),
    "a window past the limit": (frames.window_update(0, 2**31 - 1), True),
    "PUSH_PROMISE": (frame(5, 4, 1, b"\0\0\0\x02\x88"), True),
    "SETTINGS on a stream": (frame(4, 0, 1), True),
    "SETTINGS of five bytes": (frame(4, 0, 0, b"12345"), True),
    "an acknowledgement with a payload": (frame(4, 1, 0, b"123456"), True),
    "ENABLE_PUSH by the server": (frames.settings({2: 1}), True),
    "INITIAL_WINDOW_SIZE too large": (frames.settings({4: 2**31}), True),
    "MAX_FRAME_SIZE too small": (frames.settings({5: 100}), True),
    "PING of seven bytes": (frame(6, 0, 0, b"1234567"), True),
    "PING on a stream": (frame(6, 0, 1, b"12345678"), True),
    "GOAWAY of seven bytes": (frame(7, 0, 0, b"1234567"), True),
    "GOAWAY on a stream": (frame(7, 0, 1, bytes(8)), True),
    "PRIORITY on stream 0": (frame(2, 0, 0, bytes(5)), True),
    "PRIORITY of four bytes": (frame(2, 0, 1, bytes(4)), True),
    "an oversized frame": (frames.HEAD.pack(1, 0, 0, 0, 1), True),
    "a frame of a byte too many": (frames.HEAD.pack(0, 16_385, 0, 0, 1), True),
    "padding longer than the frame": (frame(1, 0xC, 1, b"\x05\x88"), True),
    "priority cut short": (frame(1, 0x24, 1, b"\0\0"), True),
    "CONTINUATION out of nowhere": (frame(9, 4, 1, b"\x88"), True),
    "a block interrupted": (frame(1, 0, 1, b"\x88") + frame(6, 0, 0, bytes(8)), True),
    "a block interrupted by another answer": (frame(1, 0, 1) + frame(1, 5, 3, b"\x88"), True),
    "a block continued elsewhere": (frame(1, 0, 1, b"\x88") + frame(9, 4, 3), True),
    "bad HPACK": (frame(1, END, 1, b"\xff\xff\xff\xff\xff"), True),
    "an index never filled": (frame(1, END, 1, b"\xc5"), True),
    "endless CONTINUATION": (frame(1, 0, 1) + frame(9, 0, 1) * 20_000, True),
    "a header bomb": (frame(1, 0, 1, b"\x88") + frame(9, 0, 1, b"\x00" * 16_000) * 10, True),
    "a flood of PING": (frame(6, 0, 0, bytes(8)) * 2000, True),
}


@pytest.mark.parametrize(("data", "greeted"), BROKEN.values(), ids=BROKEN)
def test_a_server_that_makes_no_sense_is_hung_up_on(data, greeted):
    core, caller = connected() if greeted else fresh(), Caller()
    started = sum(start(core, caller, 2)) if greeted else 0
    core.take_output(0.0)
    core.receive(data)
    assert core.dead
    assert [type(result) for _, result in caller.arrived] == [Uncertain] * started
    [(kind, _, stream, payload)] = written(core)
    assert (kind, stream) == (frames.GOAWAY, 0)
    assert int.from_bytes(payload[4:8], "big") != 0
    core.receive(frame(6, 0, 0, bytes(8)))
    assert core.take_output(0.0) == b"", "nothing is said after a goodbye"


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_whatever_raise_anything(data, greeted):
    core, caller = connected() if greeted else fresh(), Caller()
    started = sum(start(core, caller, 5)) if greeted else 0
    core.receive(data)
    core.lost("end")
    assert len(caller.arrived) + len(core.take_returned()) == started


FRAMES = st.builds(
    frame,
    st.integers(0, 10),
    st.integers(0, 255),
    st.integers(0, 14),
    st.one_of(st.binary(max_size=30), st.sampled_from([b"\x88", b"\x20\x88", bytes(4), bytes(8)])),
)


@given(st.lists(FRAMES, max_size=30))
def test_no_frames_whatever_lose_a_request(sequence):
    core, caller = connected(), Caller()
    assert all(start(core, caller, 5))
    core.take_output(0.0)
    for data in sequence:
        core.receive(data)
    core.lost("end")
    tags = [tag for tag, _ in caller.arrived] + [back[0].tag for back, _ in core.take_returned()]
    assert sorted(tags) == [0, 1, 2, 3, 4]


def test_a_server_that_overruns_our_window_is_hung_up_on():
    core, caller = connected(recv_window=65_535), Caller()
    start(core, caller)
    core.receive(frame(1, 4, 1, b"\x20\x88") + frame(0, 0, 1, bytes(16_000)) * 5)
    assert "window" in core.dead


def test_pings_are_answered_and_acknowledgements_are_not():
    core = connected()
    core.receive(frame(6, 0, 0, b"12345678") + frame(6, 1, 0, b"are you?") + frames.settings({}))
    assert written(core) == [(6, 1, 0, b"12345678"), (4, 1, 0, b"")]
