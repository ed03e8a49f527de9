"""The sending half of an HTTP/2 server connection: answers, limits, farewells, and silence."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from simulator.wire.frames import REFUSED_STREAM, LeanConnection, goaway_frame
from simulator.wire.messages import Answer, Goaway, Headers
from simulator.wire.traffic import Traffic

SPLIT_PAUSE = 0.05


@dataclass(slots=True)
class Incoming:
    """A stream that has not been answered completely."""

    headers: Headers
    body: bytearray = field(default_factory=bytearray)
    decided: bool = False
    unsent: bytes = b""


class Outbound(asyncio.Protocol):
    """Everything a connection can do to its client."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    h2: LeanConnection
    traffic: Traffic

    def __init__(self) -> None:
        self.streams: dict[int, Incoming] = {}
        self.limits: list[int] = []  # the one acknowledged, then those announced since
        self.answered = 0  # in this read: they still count as open for streams of the same read
        self.highest = 0
        self.last_served: int | None = None  # set by a GOAWAY
        self.closing = self.stalled = self.flushing = self.draining = False

    def limit_streams(self, count: int) -> None:
        """Announce another stream limit."""
        if count != self.limits[-1] and not self.closing:
            self.limits.append(count)
            self.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: count})
            self.flush_soon()

    def send(self, stream_id: int, answer: Answer) -> None:
        """Answer one stream, as far as the client's window allows."""
        headers = [(":status", str(answer.status)), *answer.headers]
        self.h2.send_headers(stream_id, headers, end_stream=not answer.body)
        self.streams[stream_id].unsent = answer.body
        self.send_body(stream_id)

    def send_body(self, stream_id: int) -> None:
        """Send what is left of a body, or as much of it as the window takes."""
        stream = self.streams[stream_id]
        while stream.unsent:
            window = self.h2.local_flow_control_window(stream_id)
            room = min(window, self.h2.max_outbound_frame_size)
            if room <= 0:
                return
            part, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            self.h2.send_data(stream_id, part, end_stream=not stream.unsent)
        del self.streams[stream_id]
        self.answered += 1

    def send_in_parts(self, stream_id: int, answer: Answer, *, cut: bool) -> None:
        """Send half a body, then the rest after a pause, or never."""
        body = answer.body or b'{"reason":"InternalServerError"}'
        self.h2.send_headers(stream_id, [(":status", str(answer.status)), *answer.headers])
        self.h2.send_data(stream_id, body[: len(body) // 2])
        self.flush()
        if cut:
            self.close()
        else:
            self.loop.call_later(SPLIT_PAUSE, self._send_rest, stream_id, body[len(body) // 2 :])

    def _send_rest(self, stream_id: int, rest: bytes) -> None:
        if not self.closing and stream_id in self.streams:
            self.streams[stream_id].unsent = rest
            self.send_body(stream_id)
            self.flush()

    def refuse(self, stream_id: int) -> None:
        """Hand a stream back unread: the client may safely send it again."""
        self.traffic.streams_refused += 1
        self.reset(stream_id, REFUSED_STREAM)

    def reset(self, stream_id: int, code: int) -> None:
        """End a stream with this error code."""
        if self.streams.pop(stream_id, None) is not None:
            self.answered += 1
        with suppress(ProtocolError):  # the client may have gone first
            self.h2.reset_stream(stream_id, code)

    def leave(self, goaway: Goaway) -> None:
        """Send a GOAWAY out of the blue."""
        if not self.closing:
            self.announce_end(goaway, self.highest)

    def leave_around(self, stream_id: int, answer: Answer, goaway: Goaway) -> None:
        """Send a GOAWAY before, after or instead of the answer to this stream."""
        last = {"this": stream_id, "previous": max(stream_id - 2, 0)}.get(
            str(goaway.last), self.highest
        )
        if goaway.order == "after":
            self.send(stream_id, answer)
        self.announce_end(goaway, last)
        if goaway.order == "before" and not self.closing and stream_id in self.streams:
            self.send(stream_id, answer)
        elif goaway.order == "instead":
            self.streams.pop(stream_id, None)
        self.close_if_drained()

    def announce_end(self, goaway: Goaway, last: int) -> None:
        """Write the GOAWAY, forget the streams above it, and close as it says."""
        if isinstance(goaway.last, int):
            last = goaway.last
        self.last_served = last
        for stream_id in [key for key in self.streams if key > last]:
            del self.streams[stream_id]
        self.flush()
        if not self.stalled:
            self.transport.write(goaway_frame(last, goaway.code, goaway.reason))
        self.draining = goaway.close == "drain"
        if goaway.close == "now":
            self.close()

    def close_if_drained(self) -> None:
        """Close once everything promised by a GOAWAY has been answered."""
        if self.draining and not self.streams and not self.closing:
            self.flush()
            self.close()

    def stall(self) -> None:
        """Fall silent for good, with the connection open."""
        self.stalled = True

    def abort(self) -> None:
        """Cut the connection without a word."""
        self.closing = True
        self.transport.abort()

    def close(self) -> None:
        """Close after what was written has left."""
        self.closing = True
        self.transport.close()

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop, together with whatever else comes up."""
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write what h2 has prepared."""
        self.flushing = False
        data = self.h2.data_to_send()
        if data and not self.stalled and not self.transport.is_closing():
            self.transport.write(data)
