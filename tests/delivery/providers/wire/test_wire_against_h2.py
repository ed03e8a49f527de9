"""Random conversations with the h2 package as the server, all of its checks switched on."""

import os
from random import Random

from bookkeeping_server import BookkeepingServer
from expectations import UNSENT, Expectations
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from delivery.providers.wire import Policy, Request, encode_literal, frames
from delivery.providers.wire.connection import Connection

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "70"))
TIMEOUT = 16.0
GRACE = TIMEOUT / 16

TUPLES = [
    tuple((b"name-%d" % n, b"value-%d" % (n * k) * 20) for n in range(k % 5)) for k in range(40)
]
LITERALS = [b"", b"v" * 10, b"w" * 200, b"x" * 17_000]
ANSWER_FIELDS = [
    {},
    {"apns-id": "EC1BF194-B3B2-424B-9E4E-4E91C8E7A1F1"},
    {"server": "h2", "x-request": "1", "retry-after": "30"},
    {"x-long": "y" * 300},
]
PADDING = st.sampled_from([None, None, 0, 1, 255])
SERVER_SETTINGS = st.fixed_dictionaries(
    {
        "MAX_CONCURRENT_STREAMS": st.sampled_from([0, 1, 2, 5, *[100] * 6]),
        "INITIAL_WINDOW_SIZE": st.sampled_from([0, 1, 10, 30_000, 65_535, 1 << 20]),
        "HEADER_TABLE_SIZE": st.sampled_from([0, 64, 100, 4096, 10_000]),
        "MAX_FRAME_SIZE": st.sampled_from([16_384, 20_000, (1 << 24) - 1]),
    }
)
POLICIES = st.builds(
    Policy,
    warm_up=st.sampled_from([False, False, True]),
    request_timeout=st.just(TIMEOUT),
    max_requests=st.just(10**6),
    max_in_flight=st.sampled_from([3, 1000]),
    answer_cap=st.sampled_from([100, 1 << 16]),
    recv_window=st.sampled_from([65_535, 100_000]),
)
LINES = st.fixed_dictionaries(
    {
        "values": SERVER_SETTINGS,
        "eager": st.booleans(),
        "stubborn": st.booleans(),
        "want": st.booleans(),
        "policy": POLICIES,
    }
)
# PRIORITY, ALTSVC, and a kind nobody knows, of no stream and of the first
STRAY = {
    "PRIORITY": b"\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\x10",
    "ALTSVC": b"\0\0\x04\x0a\0\0\0\0\0\0\0h2",
    "unknown": b"\0\0\x02\xee\xff\0\0\0\x01??",
}


EVERYTHING = 10**9
STEPS = st.sampled_from([1, 2, 9, 40, 1000])
FLOWS = st.tuples(
    STEPS, STEPS, st.sampled_from([0, 0, 3, 30]), st.sampled_from([True, True, False])
)
MANY = 3
SHAPES = st.fixed_dictionaries(
    {
        "cuts": st.lists(st.integers(0, 400), max_size=3),
        "padding": PADDING,
        "priority": st.booleans(),
    }
)


class Caller:
    def __init__(self):
        self.arrived = []

    def wake(self):
        raise AssertionError("the core wakes nobody")


def any_begun(self):
    return any(asked.status for asked in self.server.open)


class Conversation(RuleBasedStateMachine):
    """Every request ends once, as the server meant it, and the server never objects.

    After each rule some of the bytes under way arrive, cut anywhere. What comes back unsent is
    sent again, on the next connection if need be, and must never have been taken before.
    """

    @initialize(line=LINES)
    def begin(self, line):
        self.now = 0
        self.callers = Caller(), Caller()
        self.requests, self.queue, self.taken, self.extra = {}, [], set(), {}
        self.connect(**line)

    def connect(self, values, eager, stubborn, want, policy):
        self.server = BookkeepingServer(self.taken, values, eager=eager, stubborn=stubborn)
        self.core = Connection(b"localhost", policy, want_headers=want)
        self.expected = Expectations(policy, want_headers=want)
        self.pipe, self.pings = b"", 0
        self.write()

    # -- the line

    def write(self):
        self.pipe += self.core.take_output(self.now)
        self.expected.write(self.now)

    def client_to_server(self, most):
        self.write()
        self.server.receive(self.pipe[:most])
        self.pipe = self.pipe[most:]
        for asked in self.server.ended:
            assert asked.body == self.requests[asked.tag][0].body
            assert asked.headers[4:] == self.extra[asked.tag]
        self.server.ended.clear()

    def server_to_client(self, most):
        data, facts = self.server.deliver(most)
        self.core.receive(data)
        assert not self.core.dead, self.core.dead
        self.expected.read(facts)
        self.settle()

    def flow(self, up, down, pieces, rest):
        """Let some bytes through, in pieces of `up` and `down`, and then perhaps all others."""
        self.pump()
        for _ in range(pieces):
            self.client_to_server(up)
            self.server_to_client(down)
        if rest:
            self.client_to_server(EVERYTHING)
            self.server_to_client(EVERYTHING)
        self.pump()

    # -- the client

    @rule(
        flow=FLOWS,
        count=st.sampled_from([1, 4, 10]),
        size=st.sampled_from([0, 50, 50, 4096, 16_384, 16_385, 70_000, 70_000, 200_000]),
        fields=st.integers(0, len(TUPLES) - 1),
        literal=st.integers(0, len(LITERALS) - 1),
        other=st.booleans(),
    )
    def ask(self, flow, *, count, size, fields, literal, other):
        for _ in range(count):
            self.invent(size, TUPLES[fields], LITERALS[literal], self.callers[other])
        self.flow(*flow)

    def invent(self, size, fields, literal, caller):
        tag = len(self.requests)
        literals = encode_literal(b"tag", b"%d" % tag) + encode_literal(b"more", literal)
        request = Request(b"/%d" % tag, fields, literals, Random(tag).randbytes(size), tag)
        self.requests[tag] = (request, caller)
        self.extra[tag] = [*fields, (b"tag", b"%d" % tag), (b"more", literal)]
        self.queue.append(tag)

    def pump(self):
        """Start what waits, as a pool does whenever a connection has moved."""
        while self.queue and self.start(self.queue[0]):
            self.queue.pop(0)

    def start(self, tag):
        request, caller = self.requests[tag]
        allowed, room = self.expected.may_start, self.core.room
        if not self.core.start((request, caller, 0)):
            return False
        assert allowed, "more streams than the server allows"
        assert room > 0
        self.expected.start(tag, caller)
        return True

    @rule(flow=FLOWS, times=st.sampled_from([1, 30]))
    def ping(self, flow, times):
        for _ in range(times):
            self.core.ping()
            self.server.conn.ping(b"whatever")
        self.pings += times
        self.flow(*flow)

    @rule()
    def abandon(self):
        self.core.abandon(self.callers[1])
        self.expected.abandon(self.callers[1])

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds):
        self.now += seconds
        self.core.expire(self.now)
        ended = {tag for caller in self.callers for tag, _ in caller.arrived}
        self.expected.expire(self.now, TIMEOUT, GRACE, ended)
        self.settle()

    @precondition(lambda self: self.core.started > MANY)
    @rule(politely=st.booleans(), line=LINES)
    def lose(self, politely, line):
        if politely:
            self.hang_up()
        else:
            self.core.lost("cut")
            self.expected.lose()
            self.settle()
            assert self.core.take_output(self.now) == b""
        self.connect(**line)

    @precondition(lambda self: self.core.done)
    @rule(line=LINES)
    def go_on_elsewhere(self, line):
        self.hang_up()
        self.connect(**line)

    def hang_up(self):
        """Close as a link does, and see that the server understands."""
        self.core.close()
        self.expected.lose()
        self.settle()
        self.client_to_server(EVERYTHING)
        assert self.server.over.error_code == 0

    # -- the server

    @precondition(lambda self: self.server.open)
    @rule(
        flow=FLOWS,
        data=st.data(),
        informs=st.sampled_from([0, 0, 1, 2]),
        status=st.sampled_from([200, 200, 400, 410, 503]),
        fields=st.integers(0, len(ANSWER_FIELDS) - 1),
        ends=st.booleans(),
        shape=SHAPES,
    )
    def answer(self, flow, data, *, informs, status, fields, ends, shape):
        """Begin, or begin and end, the answer to one request, whole or not."""
        asked = data.draw(st.sampled_from(self.server.open))
        if not asked.status:
            for _ in range(informs):
                self.server.inform(asked)
            self.server.begin(asked, status, ANSWER_FIELDS[fields], ends=ends, **shape)
        self.flow(*flow)

    @precondition(any_begun)
    @rule(
        flow=FLOWS,
        data=st.data(),
        size=st.sampled_from([0, 1, 54, 300, 16_000, 16_384]),
        padding=PADDING,
        count=st.sampled_from([1, 1, 6]),
        how=st.sampled_from(["goes on", "data", "empty", "trailers"]),
    )
    def go_on(self, flow, data, *, size, padding, count, how):
        """Send more of an answer, and perhaps its end, in one way or another."""
        asked = data.draw(st.sampled_from([one for one in self.server.open if one.status]))
        for _ in range(count):
            part = Random(len(asked.said)).randbytes(size)
            self.server.more(asked, part, padding=padding)
        if how == "trailers":
            self.server.finish_with_trailers(asked)
        elif how != "goes on":
            last = b"end" if how == "data" else b""
            self.server.more(asked, last, padding=padding, ends=True)
        self.flow(*flow)

    @precondition(lambda self: self.server.open)
    @rule(flow=FLOWS, data=st.data(), body=st.sampled_from([b"", b'{"name":"x"}']))
    def accept_what_is_whole(self, flow, data, body):
        for asked in data.draw(st.permutations(self.server.open)):
            if asked.whole and not asked.status:
                self.server.begin(asked, 200, ANSWER_FIELDS[1], ends=not body)
                if body:
                    self.server.more(asked, body, ends=True)
        self.flow(*flow)

    @precondition(any_begun)
    @rule(flow=FLOWS, data=st.data(), code=st.sampled_from([0, 7, 7, 8]))
    def break_off(self, flow, data, code):
        """Reset what has begun to be answered; even REFUSED_STREAM is no proof then."""
        begun = [asked for asked in self.server.open if asked.status]
        self.server.reset(data.draw(st.sampled_from(begun)), code)
        self.flow(*flow)

    @precondition(lambda self: self.server.open)
    @rule(flow=FLOWS, data=st.data(), code=st.sampled_from([*range(14), 7, 7, 7, 7, 77]))
    def reset(self, flow, data, code):
        self.server.reset(data.draw(st.sampled_from(self.server.open)), code)
        self.flow(*flow)

    @precondition(lambda self: self.core.started > MANY)
    @rule(
        flow=FLOWS,
        above=st.sampled_from([0, 1, 2, 4, 2**30]),
        code=st.sampled_from([0, 0, 2, 11]),
        debug=st.sampled_from([b"", b'{"reason":"Shutdown"}', b"\xff" * 100]),
    )
    def goodbye(self, flow, above, code, debug):
        self.server.goodbye(above, code, debug)
        self.flow(*flow)

    @rule(flow=FLOWS, data=st.data(), size=st.sampled_from([1, 100, 20_000, 1 << 20]))
    def open_windows(self, flow, data, size):
        if data.draw(st.booleans()):
            self.server.widen(size)
        for asked in self.server.open:
            if not asked.whole and data.draw(st.booleans()):
                self.server.widen(size, asked.stream)
        self.flow(*flow)

    # h2 takes its first SETTINGS, unacknowledged, for older than those that follow
    @precondition(lambda self: self.server.acknowledged)
    @rule(flow=FLOWS, values=SERVER_SETTINGS)
    def change_settings(self, flow, values):
        self.server.change(values)
        self.flow(*flow)

    @rule(size=st.sampled_from([0, 50, 4096]))
    def change_the_servers_table(self, size):
        self.server.resize_its_table(size)

    @rule(stray=st.sampled_from(sorted(STRAY)))
    def say_something_else(self, stray):
        self.server.deliver(0)
        self.server.raw(STRAY[stray])

    # -- what always holds

    def settle(self):
        """Take every ending there is, and miss none that is due."""
        touched = self.core.take_touched()
        for caller in self.callers:
            assert bool(caller.arrived) == (caller in touched)
            arrived, caller.arrived = caller.arrived, []
            for tag, result in arrived:
                self.expected.meet(tag, result)
        for ticket, _ in self.core.take_returned():
            tag = ticket[0].tag
            assert tag not in self.taken, "the server took what came back as unsent"
            self.expected.meet(tag, UNSENT)
            self.queue.append(tag)
        assert not self.expected.due

    @invariant()
    def no_more_is_kept_than_is_in_flight(self):
        live = self.expected.live.keys()
        assert self.core._streams.keys() == live
        assert self.core._partials.keys() <= live
        assert self.core._uploads.waiting.keys() <= live
        assert len(self.core._rest) < frames.FRAME_SIZE + 9

    def teardown(self):
        if not hasattr(self, "core") or self.core.dead:
            return
        for _ in range(40):
            self.client_to_server(EVERYTHING)
            self.oblige()
            self.server_to_client(EVERYTHING)
        assert not self.expected.live, "the server did all it could, and a request waits"
        self.a_long_answer_comes_through()
        self.nothing_is_left_behind()

    def oblige(self):
        """Let the server take and answer whatever it is asked."""
        self.server.widen(1 << 18)
        for asked in self.server.open:
            if not asked.whole:
                self.server.widen(1 << 18, asked.stream)
            elif asked.status:
                self.server.finish_with_trailers(asked)
            else:
                self.server.begin(asked, 200, {}, ends=True)

    def a_long_answer_comes_through(self):
        """Send four times what the windows hold at first: what is read must be acknowledged."""
        self.queue.clear()
        self.invent(0, (), b"", self.callers[0])
        self.flow(0, 0, 0, rest=True)
        if self.queue:
            return  # the server allows none
        [asked] = self.server.open
        self.server.begin(asked, 200, {}, ends=False)
        for _ in range(4 * self.core.policy.recv_window // 16_000):
            self.server.more(asked, bytes(16_000))
            self.server_to_client(EVERYTHING)
            self.client_to_server(EVERYTHING)
        assert len(asked.said) >= 3 * self.core.policy.recv_window
        self.server.finish_with_trailers(asked)
        self.server_to_client(EVERYTHING)

    def nothing_is_left_behind(self):
        assert self.server.pongs == self.pings
        assert not self.core._out
        assert not self.core._rest
        assert not self.core._blocks.open
        assert len(self.core._deadlines._notes) <= TIMEOUT + 2
        window = self.core.policy.recv_window
        assert self.server.conn.outbound_flow_control_window > window // 2


Conversation.TestCase.settings = hypothesis_settings(
    max_examples=EXAMPLES, stateful_step_count=80, deadline=None, report_multiple_bugs=False
)
TestConversation = Conversation.TestCase
