"""Random conversations with the h2 package as the server, all of its checks switched on."""

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from delivery.providers.wire import Answer, Policy, Request, Uncertain, encode_literal
from delivery.providers.wire.connection import Connection

TUPLES = [
    tuple((b"name-%d" % n, b"value-%d" % (n * k) * 20) for n in range(k % 5)) for k in range(40)
]


class Caller:
    def __init__(self):
        self.arrived = []

    def wake(self):
        raise AssertionError("the core wakes nobody")


class Conversation(RuleBasedStateMachine):
    """Every request is answered, returned or settled once, and the server never objects."""

    @initialize(
        limit=st.integers(0, 8),
        window=st.sampled_from([0, 1, 100, 65_535]),
        table=st.sampled_from([0, 64, 4096]),
        warm_up=st.booleans(),
    )
    def connect(self, limit, window, table, warm_up):
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.server = h2.connection.H2Connection(config)
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: limit,
            SettingCodes.INITIAL_WINDOW_SIZE: window,
            SettingCodes.HEADER_TABLE_SIZE: table,
        }
        self.server.local_settings = h2.settings.Settings(client=False, initial_values=values)
        self.server.initiate_connection()
        self.core = Connection(
            b"localhost", Policy(warm_up=warm_up, request_timeout=10.0, max_requests=10**6)
        )
        self.caller, self.other = Caller(), Caller()
        self.now, self.unacknowledged = 0.0, 1
        self.asked, self.open, self.bodies, self.headers = {}, {}, {}, {}
        self.expected, self.returned, self.dropped = {}, set(), set()

    @rule(
        size=st.sampled_from([0, 1, 50, 4096, 20_000, 70_000]),
        fields=st.sampled_from(TUPLES),
        literal=st.sampled_from([b"", b"v" * 10, b"w" * 200, b"x" * 17_000]),
        other=st.booleans(),
    )
    def ask(self, size, fields, literal, other):
        tag = len(self.asked)
        caller = self.other if other else self.caller
        body = bytes([tag % 251]) * size
        literals = encode_literal(b"tag", b"%d" % tag) + encode_literal(b"more", literal)
        request = Request(b"/%d" % tag, fields, literals, body, tag)
        before = self.core.room
        if self.core.start((request, caller, 0)):
            assert before > 0
            self.asked[tag] = (request, caller, fields, literal)

    @rule()
    def client_writes(self):
        self.now += 0.01
        try:
            events = self.server.receive_data(self.core.take_output(self.now))
        except h2.exceptions.ProtocolError as error:
            raise AssertionError(f"the server objects: {error!r}") from error
        for event in events:
            self.take(event)

    def take(self, event):
        if isinstance(event, h2.events.SettingsAcknowledged):
            self.unacknowledged -= 1
        elif isinstance(event, h2.events.RequestReceived):
            headers = [(bytes(n), bytes(v)) for n, v in event.headers]
            tag = int(dict(headers)[b":path"][1:])
            _, _, fields, literal = self.asked[tag]
            assert headers[4:] == [*fields, (b"tag", b"%d" % tag), (b"more", literal)]
            self.open[event.stream_id], self.bodies[event.stream_id] = tag, b""
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
        elif isinstance(event, h2.events.StreamEnded):
            tag = self.open.get(event.stream_id)  # None when it was answered half-way
            assert tag is None or self.bodies[event.stream_id] == self.asked[tag][0].body
        elif isinstance(event, h2.events.StreamReset):
            tag = self.open.pop(event.stream_id, None)
            if tag is not None:
                self.dropped.add(tag)

    @rule(data=st.data())
    def server_writes(self, data):
        out = self.server.data_to_send()
        while out:
            cut = data.draw(st.integers(1, len(out)))
            self.core.receive(out[:cut])
            out = out[cut:]
        for back, reason in self.core.take_returned():
            assert reason == "REFUSED_STREAM"
            self.returned.add(back[0].tag)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), body=st.binary(max_size=40), status=st.sampled_from([200, 410, 503]))
    def answer(self, data, body, status):
        stream = data.draw(st.sampled_from(sorted(self.open)))
        fields = [(":status", str(status)), ("apns-id", f"{stream}"), ("server", "h2")]
        self.server.send_headers(stream, fields, end_stream=not body)
        if body:
            self.server.send_data(
                stream, body, end_stream=True, pad_length=data.draw(st.none() | st.integers(0, 9))
            )
        self.expected[self.open.pop(stream)] = (status, body)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), refuse=st.booleans())
    def reset(self, data, refuse):
        stream = data.draw(st.sampled_from(sorted(self.open)))
        self.server.reset_stream(stream, 7 if refuse else 8)
        self.expected[self.open.pop(stream)] = "refused" if refuse else "reset"

    @rule(data=st.data())
    def open_windows(self, data):
        self.server.increment_flow_control_window(data.draw(st.integers(1, 100_000)))
        for stream in self.open:
            if stream in self.server.streams and not self.server.streams[stream].closed:
                self.server.increment_flow_control_window(data.draw(st.integers(1, 70_000)), stream)

    # h2 takes each acknowledgement for all changes under way, so one at a time
    @precondition(lambda self: not self.unacknowledged)
    @rule(
        limit=st.integers(0, 8),
        window=st.sampled_from([0, 10, 30_000, 65_535]),
        table=st.sampled_from([0, 100, 4096, 10_000]),
    )
    def change_settings(self, limit, window, table):
        self.unacknowledged += 1
        self.server.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: limit,
                SettingCodes.INITIAL_WINDOW_SIZE: window,
                SettingCodes.HEADER_TABLE_SIZE: table,
            }
        )

    @rule()
    def ping(self):
        self.server.ping(b"whatever")

    @rule()
    def give_up(self):
        self.core.abandon(self.other)

    @rule(seconds=st.floats(0.1, 4))
    def wait(self, seconds):
        self.now += seconds
        self.core.expire(self.now)

    @invariant()
    def nobody_is_answered_twice(self):
        if not hasattr(self, "core"):
            return
        assert not self.core.dead
        for caller in (self.caller, self.other):
            tags = [tag for tag, _ in caller.arrived]
            assert len(tags) == len(set(tags))
            for tag, result in caller.arrived:
                assert tag not in self.returned
                self.check(tag, result)

    def check(self, tag, result):
        expected = self.expected.get(tag)
        if isinstance(result, Answer):
            assert (result.status, result.body) == expected
        else:
            assert isinstance(result, Uncertain)
            timed_out = result.reason == "no answer in 10 s"
            assert timed_out or expected == "reset"

    def teardown(self):
        if hasattr(self, "core"):
            self.core.lost("end")
            left = {back[0].tag for back, _ in self.core.take_returned()}
            settled = {tag for tag, _ in self.caller.arrived}
            mine = {tag for tag, (_, caller, _, _) in self.asked.items() if caller is self.caller}
            assert mine <= settled | left | self.returned, "a request was lost"


Conversation.TestCase.settings = hypothesis_settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
TestConversation = Conversation.TestCase
