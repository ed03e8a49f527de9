"""An h2 server that remembers what it took and said, and by which byte its client must know."""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, Frame, GoAwayFrame, HeadersFrame

FOREVER = 2**31 - 1
FRAME_SIZE = 16_384
REFUSED, CANCEL = 7, 8


class Limit(NamedTuple):
    """So many streams may be open from here on."""

    streams: int


class Begun(NamedTuple):
    """The final header block of an answer has been sent."""

    stream: int


class Answered(NamedTuple):
    """The last byte of an answer has been sent."""

    stream: int
    status: int
    headers: dict
    body: bytes


class Reset(NamedTuple):
    """A stream has ended without an answer."""

    stream: int
    code: int


class Goodbye(NamedTuple):
    """Nothing above this stream will be looked at."""

    last: int


@dataclass
class Asked:
    """One request, as far as it has come, and the answer, as far as it has gone."""

    stream: int
    tag: int
    headers: list = field(repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)
    whole: bool = False
    taken: bool = False
    status: int = 0
    fields: dict = field(default_factory=dict, repr=False)
    said: bytearray = field(default_factory=bytearray, repr=False)


class BookkeepingServer:
    """Never lies: it refuses nothing it took, and its GOAWAY covers all it did take.

    `asked` holds what is neither answered nor ended; `taken` the tags it acted on. Nothing it
    says leaves before `deliver`. `eager` acts on a request as soon as it is whole, and not with the
    answer; `stubborn` keeps a header table its client asked it to empty.
    """

    def __init__(self, taken, values, *, eager, stubborn):
        self.taken, self._eager, self._stubborn = taken, eager, stubborn
        self.asked, self.ended, self._greeted = {}, [], False
        self.acknowledged = self.pongs = 0
        self.last, self.highest, self.over = FOREVER, 0, None
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.conn = h2.connection.H2Connection(config)
        codes = {SettingCodes[name]: value for name, value in values.items()}
        self.conn.local_settings = h2.settings.Settings(client=False, initial_values=codes)
        self.conn.decoder.max_allowed_table_size = values["HEADER_TABLE_SIZE"]
        self._wire, self._facts = bytearray(), deque()
        self._written = self._read = 0
        self.conn.initiate_connection()
        self._say(Limit(values["MAX_CONCURRENT_STREAMS"]))

    # -- bytes

    def deliver(self, most):
        """Give the next bytes for the client, and the facts it has with them."""
        self._flush()
        data, facts = bytes(self._wire[:most]), []
        del self._wire[:most]
        self._read += len(data)
        while self._facts and self._facts[0][0] <= self._read:
            facts.append(self._facts.popleft()[1])
        return data, facts

    def receive(self, data):
        """Take bytes of the client's; what h2 objects to fails the test."""
        try:
            events = self.conn.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            raise AssertionError(f"the server objects: {error!r}") from error
        for event in events:
            self._take(event)

    def _take(self, event):
        asked = self.asked.get(getattr(event, "stream_id", None))
        match event:
            case h2.events.RequestReceived():
                headers = [(bytes(name), bytes(value)) for name, value in event.headers]
                tag = int(dict(headers)[b":path"][1:])
                self.asked[event.stream_id] = Asked(event.stream_id, tag, headers)
            case h2.events.DataReceived() if asked:
                asked.body += event.data
            case h2.events.StreamEnded() if asked:
                self._complete(asked)
            case h2.events.StreamReset():
                self.asked.pop(event.stream_id, None)
            case h2.events.SettingsAcknowledged():
                self.acknowledged += 1
            case h2.events.RemoteSettingsChanged():
                self._greeted = True
                self.resize_its_table(4096)
            case h2.events.PingAckReceived():
                self.pongs += 1
            case h2.events.ConnectionTerminated():
                self.over = event

    def _complete(self, asked):
        asked.whole = True
        self.ended.append(asked)
        if self._eager and asked.stream <= self.last:
            self._act_on(asked)

    def _flush(self):
        self.raw(self.conn.data_to_send())

    def _say(self, fact):
        self._flush()
        self._facts.append((self._written, fact))

    def raw(self, data):
        """Write bytes h2 knows nothing of."""
        self._wire += data
        self._written += len(data)

    # -- answers

    @property
    def open(self):
        """Requests that may still be answered: those above a GOAWAY are not looked at."""
        return [asked for asked in self.asked.values() if asked.stream <= self.last]

    def inform(self, asked):
        """Send 103 ahead of the answer."""
        self.conn.send_headers(asked.stream, [(":status", "103"), ("link", "</style.css>")])

    def begin(self, asked, status, fields, *, ends, cuts=(), padding=None, priority=False):
        """Send the final header block, in as many frames as `cuts` make of it."""
        self._act_on(asked)
        asked.status, asked.fields = status, fields
        self._flush()
        block = [(":status", str(status)), *fields.items()]
        self.conn.send_headers(asked.stream, block, end_stream=ends)
        self.raw(_reshaped(self.conn.data_to_send(), cuts, padding, priority))
        self._say(Begun(asked.stream))
        if ends:
            self._end(asked)

    def more(self, asked, data, *, padding=None, ends=False):
        """Send DATA, as much as the client's windows take; without it, no end either."""
        weight = 0 if padding is None else padding + 1
        room = self.conn.local_flow_control_window(asked.stream) - weight
        if room < 0 or (ends and room < len(data)):
            return
        data = data[: min(room, FRAME_SIZE - weight)]
        self.conn.send_data(asked.stream, data, end_stream=ends, pad_length=padding)
        asked.said += data
        if ends:
            self._end(asked)

    def finish_with_trailers(self, asked):
        """End an answer with fields after the body."""
        self.conn.send_headers(asked.stream, [("grpc-status", "0")], end_stream=True)
        self._end(asked)

    def reset(self, asked, code):
        """End a stream without an answer; what was taken is called refused once it is too late."""
        if asked.taken and not asked.status and code == REFUSED:
            code = CANCEL
        self.conn.reset_stream(asked.stream, code)
        del self.asked[asked.stream]
        self._say(Reset(asked.stream, code))

    def _act_on(self, asked):
        if asked.taken:
            return
        assert asked.tag not in self.taken, "a request was taken twice"
        asked.taken = True
        self.taken.add(asked.tag)
        self.highest = max(self.highest, asked.stream)

    def _end(self, asked):
        del self.asked[asked.stream]
        self._say(Answered(asked.stream, asked.status, asked.fields, bytes(asked.said)))

    # -- the connection

    def change(self, values):
        """Send new SETTINGS; h2 holds the client to them once it has acknowledged."""
        self.conn.update_settings({SettingCodes[name]: value for name, value in values.items()})
        self._say(Limit(values["MAX_CONCURRENT_STREAMS"]))

    def goodbye(self, above, code, debug):
        """Send GOAWAY by hand: h2 would close the connection, and go on answering."""
        self.last = min(self.last, self.highest + above)
        self._flush()
        self.raw(GoAwayFrame(0, self.last, code, debug).serialize())
        self._say(Goodbye(self.last))

    def resize_its_table(self, size):
        """Use a header table of another size, though the client asked for none."""
        encoder = self.conn.encoder
        # hpack forgets a change it has not announced yet when the same is set once more
        if self._stubborn and self._greeted and encoder.header_table_size != size:
            encoder.header_table_size = size

    def widen(self, increment, stream=None):
        """Open a window, the connection's or one stream's."""
        self.conn.increment_flow_control_window(increment, stream)


def _reshaped(data, cuts, padding, priority):
    """Return h2's header block as other servers might send it: padded, weighted, continued."""
    out = bytearray()
    while data:
        parsed, length = Frame.parse_frame_header(memoryview(data[:9]))
        parsed.parse_body(memoryview(data[9 : 9 + length]))
        data = data[9 + length :]
        out += _pieces(parsed, cuts, padding, priority) if _splits(parsed) else parsed.serialize()
    return bytes(out)


def _splits(parsed):
    return isinstance(parsed, HeadersFrame) and "END_HEADERS" in parsed.flags


def _pieces(parsed, cuts, padding, priority):
    flags, block = parsed.flags, parsed.data
    edges = [0, *sorted(cut % (len(block) + 1) for cut in cuts), len(block)]
    first, *rest = [block[begin:end] for begin, end in pairwise(edges)]
    head = HeadersFrame(parsed.stream_id, first)
    if "END_STREAM" in flags:
        head.flags.add("END_STREAM")
    if padding is not None:
        head.flags.add("PADDED")
        head.pad_length = padding
    if priority:
        head.flags.add("PRIORITY")
    frames = [head, *(ContinuationFrame(parsed.stream_id, piece) for piece in rest)]
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)
