"""One HTTP/2 server connection: h2 for the grammar, its own rules for limits and misbehaviour."""

import asyncio
from functools import partial
from typing import cast

from h2.config import H2Configuration
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from simulator.wire.frames import (
    ENHANCE_YOUR_CALM,
    REFUSED_STREAM,
    LeanConnection,
    goaway_frame,
)
from simulator.wire.messages import Answer, Fault, Goaway, Headers, Peer, Request, Service
from simulator.wire.outbound import Incoming, Outbound
from simulator.wire.traffic import Traffic

CONFIG = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
HEADER_LIST = 8000  # observed on the real service
MAX_BODY = 1_048_576


class Http2Connection(Outbound):
    """Speak HTTP/2 with one client on behalf of a service."""

    def __init__(self, service: Service, peer: Peer, traffic: Traffic) -> None:
        super().__init__()
        self.service, self.peer, self.traffic = service, peer, traffic
        self.reactions = {
            RequestReceived: self._opened,
            DataReceived: self._fed,
            StreamEnded: self._completed,
            StreamReset: self._cancelled,
            WindowUpdated: self._unblocked,
            SettingsAcknowledged: self._acknowledged,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet with our settings."""
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()
        link = self.service.link(self.peer)
        self.limits = [link.max_streams]
        self.h2 = LeanConnection(CONFIG)
        self.h2.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: link.max_streams,
                SettingCodes.INITIAL_WINDOW_SIZE: link.initial_window,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEADER_LIST,
            },
        )
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Feed h2 and react to what it understood."""
        if self.stalled or self.closing:
            return
        self.answered = 0
        try:
            events = self.h2.receive_data(data)
        except ProtocolError as error:
            self.traffic.violated(self.peer.number, f"{type(error).__name__}: {error}")
            self.flush()
            self.close()
            return
        for event in events:
            react = self.reactions.get(type(event))
            if react is not None and not self.closing:
                react(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything: what was not looked at never happened."""
        del exc
        self.closing = True
        self.streams.clear()

    def _opened(self, event: Event) -> None:
        event = cast("RequestReceived", event)
        stream_id = event.stream_id
        if self.last_served is not None and stream_id > self.last_served:
            return
        if len(self.streams) + self.answered >= self.limits[0]:
            self._over_limit(stream_id)
            return
        self.highest = stream_id
        self.streams[stream_id] = Incoming(cast("Headers", event.headers))
        self.traffic.max_streams_seen = max(self.traffic.max_streams_seen, len(self.streams))
        if len(self.streams) > self.limits[-1]:  # lowered, but the client cannot know yet
            self.refuse(stream_id)

    def _over_limit(self, stream_id: int) -> None:
        self.traffic.violated(self.peer.number, f"stream {stream_id} over {self.limits[0]}")
        if self.service.link(self.peer).over_limit == "refuse":
            self.refuse(stream_id)
            return
        self.flush()
        self.transport.write(goaway_frame(self.highest, REFUSED_STREAM, ""))
        self.close()

    def _fed(self, event: Event) -> None:
        event = cast("DataReceived", event)
        delay = self.service.link(self.peer).window_update_delay
        give_back = partial(self._give_back, event.flow_controlled_length, event.stream_id)
        if delay:
            self.loop.call_later(delay, give_back)
        else:
            give_back()
        incoming = self.streams.get(event.stream_id)
        if incoming is not None:
            incoming.body += event.data
            if len(incoming.body) > MAX_BODY:
                self.reset(event.stream_id, ENHANCE_YOUR_CALM)

    def _give_back(self, octets: int, stream_id: int) -> None:
        if octets and not self.closing:
            self.h2.acknowledge_received_data(octets, stream_id)
            self.flush_soon()

    def _completed(self, event: Event) -> None:
        stream_id = cast("StreamEnded", event).stream_id
        latency = self.service.link(self.peer).latency
        if latency:
            self.loop.call_later(latency, self._decide, stream_id)
        else:
            self._decide(stream_id)

    def _cancelled(self, event: Event) -> None:
        if self.streams.pop(cast("StreamReset", event).stream_id, None) is not None:
            self.answered += 1
            self.traffic.streams_cancelled += 1
            self.close_if_drained()

    def _unblocked(self, _event: Event) -> None:
        for stream_id in [key for key, stream in self.streams.items() if stream.unsent]:
            self.send_body(stream_id)

    def _acknowledged(self, _event: Event) -> None:
        if len(self.limits) > 1:
            self.limits.pop(0)

    def _decide(self, stream_id: int) -> None:
        incoming = self.streams.get(stream_id)
        if incoming is None or self.closing or self.stalled:
            return
        incoming.decided = True
        answer = self.service.handle(request_of(self.peer, stream_id, incoming))
        if answer.max_streams is not None:
            self.limit_streams(answer.max_streams)
        if answer.refuse_rest:
            for other in [key for key, stream in self.streams.items() if not stream.decided]:
                self.refuse(other)
        if answer.delay:
            self.loop.call_later(answer.delay, self._give, stream_id, answer)
        else:
            self._give(stream_id, answer)

    def _give(self, stream_id: int, answer: Answer) -> None:
        if self.closing or self.stalled or stream_id not in self.streams:
            return
        if answer.fault is None:
            self.send(stream_id, answer)
        else:
            self._misbehave(stream_id, answer, answer.fault)
        if answer.hang_up and not self.closing:
            self.flush()
            self.close()
        self.close_if_drained()
        self.flush_soon()

    def _misbehave(self, stream_id: int, answer: Answer, fault: Fault) -> None:
        match fault.kind:
            case "stall":
                pass
            case "stall_connection":
                self.stall()
            case "disconnect":
                self.abort()
            case "reset":
                self.reset(stream_id, fault.code)
            case "goaway":
                self.leave_around(stream_id, answer, fault.goaway or Goaway())
            case _:
                cut = fault.kind == "disconnect_mid_body"
                self.send_in_parts(stream_id, answer, cut=cut)


def request_of(peer: Peer, stream_id: int, incoming: Incoming) -> Request:
    """Return the finished stream as a request."""
    method = path = ""
    for name, value in incoming.headers:
        if name == b":method":
            method = value.decode("latin-1")
        elif name == b":path":
            path = value.decode("latin-1")
    return Request(peer, stream_id, method, path, incoming.headers, bytes(incoming.body))
