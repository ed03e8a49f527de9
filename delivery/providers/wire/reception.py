"""What a server may say beside a plain 200: every other frame, and every way to get one wrong."""

from collections.abc import Callable
from typing import Final

from . import frames
from .answers import OK, STREAM_WINDOW_STEP, HeaderBlocks, Partial, status_of
from .exchange import NO_HEADERS, Answer, GoAway
from .field_table import FieldTable
from .frames import ErrorCode, Violation
from .policy import Policy
from .streams import Streams

_REPLIES_CAP: Final = 1024


class Reception(Streams):
    """Streams, and the frames that move them."""

    def __init__(self, authority: bytes, policy: Policy, *, want_headers: bool = False) -> None:
        super().__init__(policy)
        self._table = FieldTable(authority)
        self._fields: object = None  # the tuple last encoded, while its encoding stays true
        self._blocks = HeaderBlocks()
        self._want_headers = want_headers
        self._may_skip = False
        self._consumed = 0
        self._replies = 0
        self.goaway: GoAway | None = None
        """The server's last words, once they came."""
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            frames.DATA: self._on_data,
            frames.HEADERS: self._on_headers,
            frames.PRIORITY: self._on_priority,
            frames.RST_STREAM: self._on_rst_stream,
            frames.SETTINGS: self._on_settings,
            frames.PUSH_PROMISE: self._on_push_promise,
            frames.PING: self._on_ping,
            frames.GOAWAY: self._on_goaway,
            frames.WINDOW_UPDATE: self._on_window_update,
            frames.CONTINUATION: self._on_continuation,
        }

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Act on one frame of any kind; kinds we do not know are ignored (RFC 9113 §5.5)."""
        if self._blocks.open and kind != frames.CONTINUATION:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "header block interrupted")
        if not self.ready and kind != frames.SETTINGS:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "SETTINGS must come first")
        handler = self._handlers.get(kind)
        if handler is not None:
            handler(flags, stream, payload)

    def _opened(self, stream: int, what: str) -> bool:
        """Tell whether a stream is still open; one that never was ends the connection."""
        if stream & 1 == 0 or stream >= self._next:
            raise Violation(ErrorCode.PROTOCOL_ERROR, f"{what} on stream {stream}, never opened")
        return stream in self._streams

    def _reply(self, reply: bytes) -> None:
        self._replies += 1
        if self._replies > _REPLIES_CAP:  # it asks faster than it reads
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "too many PING or SETTINGS")
        self._out.append(reply)

    # -- answers

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        self._opened(stream, "HEADERS")
        fragment = frames.unpadded(flags, payload)
        if flags & frames.WITH_PRIORITY:
            if len(fragment) < 5:
                raise Violation(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
            fragment = fragment[5:]
        self._blocks.begin(stream, fragment, ends=bool(flags & frames.END_STREAM))
        self._may_skip = False
        if flags & frames.END_HEADERS:
            self._end_block(stream)

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        self._blocks.extend(stream, payload)
        if flags & frames.END_HEADERS:
            self._end_block(stream)

    def _end_block(self, stream: int) -> None:
        fields, ends = self._blocks.finish()
        self._may_skip = self._blocks.stateless and not self._want_headers
        if stream not in self._streams:
            return  # cancelled by us; decoded all the same, or the tables would part
        partial = self._partials.get(stream)
        if partial is None:
            self._begin_answer(stream, fields, ends=ends)
        elif ends and b":status" not in fields:
            self._answer(stream, partial.whole())  # trailers
        else:
            self._break(stream, "a second header block")

    def _begin_answer(self, stream: int, fields: dict[bytes, bytes], *, ends: bool) -> None:
        status = status_of(fields)
        if status < 100 or (status < 200 and ends):
            self._break(stream, "an answer without a status")
        elif status >= 200:
            headers = {name: fields[name] for name in fields if name[:1] != b":"}
            if ends:
                self._answer(stream, Answer(status, headers, b""))
            else:
                self._partials[stream] = Partial(status, headers)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        opened = self._opened(stream, "DATA")
        self._consumed += len(payload)
        data = frames.unpadded(flags, payload)
        if not opened:
            return
        partial = self._partials.get(stream)
        if partial is None:
            self._break(stream, "DATA before HEADERS")
            return
        if partial is OK:
            partial = self._partials[stream] = Partial(200, NO_HEADERS)
        partial.add(data, self.policy.answer_cap)
        if flags & frames.END_STREAM:
            self._answer(stream, partial.whole())
        else:
            self._acknowledge(stream, partial, len(payload))

    def _acknowledge(self, stream: int, partial: Partial, size: int) -> None:
        partial.unacknowledged += size
        if partial.unacknowledged >= STREAM_WINDOW_STEP:
            self._out.append(frames.window_update(stream, partial.unacknowledged))
            partial.unacknowledged = 0

    def _on_rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        code = frames.read_long(payload, "RST_STREAM")
        if not self._opened(stream, "RST_STREAM"):
            return
        if code == ErrorCode.REFUSED_STREAM and stream not in self._partials:
            self._give_back(stream, "REFUSED_STREAM")
            self._throttle()
        else:
            self._fail(stream, f"RST_STREAM {frames.name_of(code)}")

    # -- the connection

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            if payload or not self.ready:
                raise Violation(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS ACK out of place")
            return
        # Ahead of any DATA a wider window sets free: the server holds us to the old one until then.
        self._reply(frames.frame(frames.SETTINGS, frames.ACK, 0))
        for setting, value in frames.read_settings(payload):
            self._apply(setting, value)
        self.ready = True
        self._reslot()

    def _apply(self, setting: int, value: int) -> None:
        if setting == frames.MAX_CONCURRENT_STREAMS:
            self._server_limit = value
        elif setting == frames.INITIAL_WINDOW_SIZE:
            if value > frames.MAX_WINDOW:
                raise Violation(ErrorCode.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE too large")
            self._uploads.resize(value)
        elif setting == frames.HEADER_TABLE_SIZE:
            self._table.resize(value)
            self._fields = None
        elif setting == frames.ENABLE_PUSH and value:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "a server may not enable push")
        elif setting == frames.MAX_FRAME_SIZE and not frames.FRAME_SIZE <= value < 1 << 24:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, "PING must carry 8 bytes")
        if not flags & frames.ACK:
            self._reply(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        self.goaway = GoAway(*frames.read_goaway(payload))
        self.retire()
        reason = str(self.goaway)
        for unseen in [s for s in self._streams if s > self.goaway.last_stream]:
            if unseen in self._partials:  # it says it never saw what it has begun to answer
                self._fail(unseen, reason)
            else:
                self._give_back(unseen, reason)

    def _on_window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        increment = frames.read_long(payload, "WINDOW_UPDATE") & frames.MAX_WINDOW
        if not stream:
            if not increment:
                raise Violation(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of nothing")
            self._uploads.widen(increment)
        elif self._opened(stream, "WINDOW_UPDATE") and not (
            increment and self._uploads.widen_stream(stream, increment)
        ):
            self._break(stream, "WINDOW_UPDATE out of range")

    def _on_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "PRIORITY on the connection")
        if len(payload) != 5:
            raise Violation(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY must carry 5 bytes")

    def _on_push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise Violation(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE though push is off")
