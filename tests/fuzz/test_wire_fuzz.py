"""The wire's parser, fed bytes no server should send: noise, odd frames, and conversations spoilt.

Whatever it is given, it ends the connection or goes on; it raises nothing, keeps little, takes
no long time over it, and every request ends once. `FUZZ_EXAMPLES` sets how many of each.
"""

import os
import time
from dataclasses import dataclass, field
from random import Random

import pytest
from hpack import Encoder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.providers.wire import Policy, Request, frames
from delivery.providers.wire.connection import Connection
from delivery.providers.wire.frames import frame

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
PATIENCE = 1.0  # CPU seconds
ASKED = 12
CAP = 1000
# A frame not whole yet, a header block not whole yet, and what is kept of each answer
MOST_KEPT = frames.FRAME_SIZE + 9 + 3 * (1 << 16) + ASKED * CAP
MOST_SAID = 1 << 16
FLOOD = 500_000
POLICY = Policy(warm_up=False, answer_cap=CAP, request_timeout=16.0, recv_window=65_535)

END = frames.END_HEADERS | frames.END_STREAM


@dataclass(eq=False)
class Caller:
    arrived: list = field(default_factory=list)

    def wake(self):
        raise AssertionError("the core wakes nobody")


def block(encoder, *fields):
    return encoder.encode(list(fields))


def conversation():
    """Give all a sound server might say to a dozen requests, frame by frame."""
    encoder = Encoder()
    encoder.header_table_size = 0
    gone = block(encoder, (":status", "410"), ("apns-id", "A"))
    fine = block(encoder, (":status", "200"))
    early = block(encoder, (":status", "103"), ("link", "x"))
    trailer = block(encoder, ("grpc-status", "0"))
    return [
        frames.settings({3: 100, 4: 100, 1: 64}),
        frame(frames.SETTINGS, frames.ACK, 0),
        frame(frames.HEADERS, END, 1, fine),
        frame(frames.HEADERS, frames.END_HEADERS, 3, early),
        frame(frames.HEADERS, 0, 3, gone[:1]),
        frame(frames.CONTINUATION, 0, 3),
        frame(frames.CONTINUATION, frames.END_HEADERS, 3, gone[1:]),
        frame(frames.DATA, frames.PADDED | frames.END_STREAM, 3, b"\x02gone\0\0"),
        frame(frames.HEADERS, frames.END_HEADERS, 5, b"\x88"),
        frame(frames.DATA, 0, 5, b'{"na'),
        frame(frames.WINDOW_UPDATE, 0, 0, frames.LONG.pack(70_000)),
        frame(frames.WINDOW_UPDATE, 0, 7, frames.LONG.pack(70_000)),
        frame(frames.HEADERS, 0x2C, 7, b"\x01\0\0\0\0\x10" + gone + b"\0"),
        frame(frames.DATA, frames.END_STREAM, 5, b'me":1}'),
        frame(frames.DATA, 0, 7, bytes(16_000)),
        frame(frames.HEADERS, END, 7, trailer),
        frame(frames.PING, 0, 0, b"12345678"),
        frames.rst_stream(9, frames.ErrorCode.REFUSED_STREAM),
        frames.rst_stream(11, frames.ErrorCode.INTERNAL_ERROR),
        frames.settings({4: 0}),
        frame(frames.PRIORITY, 0, 13, bytes(5)),
        frame(frames.HEADERS, END, 13, fine),
        frame(frames.GOAWAY, 0, 0, frames.LONG.pack(19) + frames.LONG.pack(0) + b"Shutdown"),
        frame(frames.HEADERS, END, 15, fine),
        frame(frames.GOAWAY, 0, 0, frames.LONG.pack(17) + frames.LONG.pack(0)),
        frame(frames.HEADERS, END, 17, b"\x88"),
    ]


SOUND = conversation()
GREETING = SOUND[0] + SOUND[1]


def spoil(seed, edits):
    """Return the conversation with so many things done to its frames and bytes."""
    chance = Random(seed)
    said = list(SOUND)
    for _ in range(edits):
        chance.choice(FRAME_EDITS)(chance, said)
    spoilt = bytearray(b"".join(said))
    for _ in range(edits):
        chance.choice(BYTE_EDITS)(chance, spoilt)
    return bytes(spoilt)


def swap(chance, items):
    one, two = chance.randrange(len(items)), chance.randrange(len(items))
    items[one], items[two] = items[two], items[one]


def repeat(chance, items):
    at = chance.randrange(len(items))
    items[at:at] = items[at : at + chance.randrange(5)] * chance.choice([1, 3, 50])


def leave_out(chance, items):
    if len(items) > 5:
        del items[chance.randrange(len(items))]


def flip(chance, data):
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(chance, data):
    data[chance.randrange(len(data))] = chance.choice([0, 1, 4, 9, 0x20, 0x7F, 0x80, 0x88, 0xFF])


def insert(chance, data):
    at = chance.randrange(len(data))
    data[at:at] = chance.randbytes(chance.choice([1, 2, 9, 100]))


def cut_off(chance, data):
    del data[len(data) - chance.randrange(len(data) // 2) :]


FRAME_EDITS = [swap, repeat, leave_out, lambda *_: None]
BYTE_EDITS = [flip, flip, overwrite, insert, cut_off, lambda *_: None]


def feed(data, seed, *, greeted=True):
    """Talk to a server that says `data`, in pieces, and ask, give up and wait in between."""
    chance = Random(seed)
    core = Connection(b"localhost", POLICY, want_headers=chance.random() < 0.3)
    core.take_output(0.0)
    patient, hasty = Caller(), Caller()
    asked = []
    began = time.thread_time()
    if greeted:
        core.receive(GREETING)
        ask(core, patient, asked, ASKED)
    while data and not core.dead:
        size = chance.choice([1, 9, 50, 5000, len(data)])
        core.receive(data[:size])
        data = data[size:]
        meddle(core, hasty, asked, chance)
        assert kept(core) <= MOST_KEPT
    core.lost("end")
    assert time.thread_time() - began < PATIENCE
    assert len(core._streams) == len(core._partials) == len(core._uploads.waiting) == 0
    return endings(core, patient, hasty), asked


def meddle(core, hasty, asked, chance):
    """Do to the connection what a pool might, now and then."""
    match chance.randrange(8):
        case 0:
            assert len(core.take_output(chance.random() * 40)) <= MOST_SAID + ASKED * 400
        case 1:
            core.expire(chance.random() * 40)
        case 2:
            ask(core, hasty, asked, 1)
        case 3:
            core.ping()


def ask(core, caller, asked, count):
    for _ in range(count):
        tag = len(asked)
        size = (0, 10, 300)[tag % 3]
        request = Request(b"/3/device/abc", ((b"apns-topic", b"t"),), b"", bytes(size), tag)
        if core.start((request, caller, 0)):
            asked.append(tag)


def kept(core):
    bodies = sum(len(partial.body) for partial in core._partials.values())
    waiting = sum(len(upload.rest) for upload in core._uploads.waiting.values())
    return len(core._rest) + len(core._blocks._block) + bodies + waiting


def endings(core, *callers):
    """Give the tags that have ended, those that came back unsent included."""
    settled = [tag for caller in callers for tag, _ in caller.arrived]
    return settled + [ticket[0].tag for ticket, _ in core.take_returned()]


def survives(data, seed, *, greeted=True):
    ended, asked = feed(data, seed, greeted=greeted)
    assert sorted(ended) == asked


SEEDS = st.integers(0, 2**32)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=2000), SEEDS, st.booleans())
def test_noise_ends_the_connection_at_worst(data, seed, greeted):
    survives(data, seed, greeted=greeted)


PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\x88", b"\x20\x88", bytes(4), bytes(5), bytes(8), bytes(16_384)]),
    st.builds(lambda byte, size: bytes((byte,)) * size, st.integers(0, 255), st.integers(0, 300)),
)
KINDS = st.sampled_from([0, 0, 1, 1, *range(11)])
FLAGS = st.one_of(st.sampled_from([0, 1, 4, 5, 8, 9, 12, 0x2C]), st.integers(0, 255))
STREAMS = st.sampled_from([0, *range(1, 2 * ASKED, 2), 2, 99])
FRAMES = st.builds(frame, KINDS, FLAGS, STREAMS, PAYLOADS)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(FRAMES, st.sampled_from([1, 1, 1, 40])), max_size=40), SEEDS)
def test_frames_in_any_order_end_the_connection_at_worst(sequence, seed):
    survives(b"".join(data * times for data, times in sequence), seed)


@settings(max_examples=EXAMPLES * 5, deadline=None)
@given(SEEDS, st.integers(0, 12))
@example(0, 0)
def test_a_spoilt_conversation_ends_at_worst(seed, edits):
    survives(spoil(seed, edits)[len(SOUND[0]) :], seed)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=500), max_size=30), st.booleans(), SEEDS)
def test_header_blocks_of_noise_end_the_connection_at_worst(blocks, empties, seed):
    first = b"\x20" if empties else b""
    answers = [
        frame(frames.HEADERS, END, 2 * n + 1, first + noise) for n, noise in enumerate(blocks)
    ]
    survives(b"".join(answers), seed)


OPENED = frame(frames.HEADERS, frames.END_HEADERS, 1, b"\x20\x88")
FLOODS = {
    "DATA": (OPENED, frame(frames.DATA, 0, 1, bytes(1000))),
    "empty DATA": (OPENED, frame(frames.DATA, 0, 1)),
    "DATA nobody waits for": (frames.rst_stream(1, 0), frame(frames.DATA, 0, 1, bytes(1000))),
    "CONTINUATION": (frame(frames.HEADERS, 0, 1), frame(frames.CONTINUATION, 0, 1, bytes(1000))),
    "empty CONTINUATION": (frame(frames.HEADERS, 0, 1), frame(frames.CONTINUATION, 0, 1)),
    "informational answers": (b"", frame(frames.HEADERS, 4, 1, b"\x08\x03103")),
    "PING": (b"", frame(frames.PING, 0, 0, bytes(8))),
    "SETTINGS": (b"", frames.settings({1: 0, 4: 7})),
    "WINDOW_UPDATE": (b"", frame(frames.WINDOW_UPDATE, 0, 1, frames.LONG.pack(1))),
    "RST_STREAM": (b"", frames.rst_stream(1, 7)),
    "GOAWAY": (b"", frame(frames.GOAWAY, 0, 0, bytes(1000))),
    "frames of no known kind": (b"", frame(0xEE, 0, 0, bytes(1000))),
}


@pytest.mark.parametrize(("first", "again"), FLOODS.values(), ids=FLOODS)
def test_a_flood_of_anything_keeps_little_and_says_little(first, again):
    core, caller, asked = Connection(b"localhost", POLICY), Caller(), []
    core.receive(GREETING)
    ask(core, caller, asked, ASKED)
    core.take_output(0.0)
    core.receive(first)
    began = time.thread_time()
    for _ in range(FLOOD // 50 // len(again)):
        core.receive(again * 50)  # no more at once than the window takes
        assert kept(core) <= MOST_KEPT
        assert sum(map(len, core._out)) <= MOST_SAID
    assert time.thread_time() - began < 5 * PATIENCE
    core.lost("end")
    assert sorted(endings(core, caller)) == asked


def test_a_sound_conversation_is_answered_in_full():
    """What the spoilt ones are made from means what it should."""
    core, caller, asked = Connection(b"localhost", Policy(warm_up=False)), Caller(), []
    core.receive(GREETING)
    ask(core, caller, asked, ASKED)
    core.receive(b"".join(SOUND[2:]))
    results = {tag: getattr(result, "status", None) for tag, result in caller.arrived}
    assert results == {0: 200, 1: 410, 2: 200, 3: 410, 5: None, 6: 200, 7: 200, 8: 200}
    assert sorted(t[0].tag for t, _ in core.take_returned()) == [4, 9, 10, 11]
    assert not core.dead
