"""One HTTP/1.1 server connection, for clients of FCM that speak no other."""

import asyncio
from typing import cast

import h11

from simulator.wire.messages import Answer, Goaway, Headers, Peer, Request, Service
from simulator.wire.traffic import Traffic

SPLIT_PAUSE = 0.05


class Http1Connection(asyncio.Protocol):
    """Speak HTTP/1.1 with one client on behalf of a service, one request after the other."""

    def __init__(self, service: Service, peer: Peer, traffic: Traffic) -> None:
        self.service, self.peer, self.traffic = service, peer, traffic
        self.h11 = h11.Connection(h11.SERVER)
        self.head: h11.Request | None = None
        self.body = bytearray()
        self.number = 0
        self.stalled = self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """Feed h11 and answer whatever became complete."""
        if not self.stalled and not self.closing:
            self.h11.receive_data(data)
            self._pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        del exc
        self.closing = True

    def _pump(self) -> None:
        try:
            while not self.closing and self._react(self.h11.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self.traffic.violated(self.peer.number, str(error))
            self.close()

    def _react(self, event: object) -> bool:
        if isinstance(event, h11.Request):
            self.head, self.body = event, bytearray()
            if self.h11.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                self.transport.write(self.h11.send(go_on) or b"")
        elif isinstance(event, h11.Data):
            self.body += event.data
        elif isinstance(event, h11.EndOfMessage):
            self._completed()
            return False
        else:
            return False  # NEED_DATA, PAUSED or ConnectionClosed
        return True

    def _completed(self) -> None:
        latency = self.service.link(self.peer).latency
        if latency:
            self.loop.call_later(latency, self._decide)
        else:
            self._decide()

    def _decide(self) -> None:
        if self.closing or self.stalled or self.head is None:
            return
        self.number += 1
        method, path = self.head.method.decode("latin-1"), self.head.target.decode("latin-1")
        headers = cast("Headers", list(self.head.headers))
        request = Request(self.peer, self.number, method, path, headers, bytes(self.body))
        answer = self.service.handle(request)
        if answer.delay:
            self.loop.call_later(answer.delay, self._give, answer)
        else:
            self._give(answer)

    def _give(self, answer: Answer) -> None:
        if self.closing or self.stalled:
            return
        match answer.fault.kind if answer.fault else "":
            case "stall" | "stall_connection":
                self.stall()
            case "disconnect" | "reset":
                self.abort()
            case "disconnect_mid_body":
                self._head_and(answer, answer.body[: len(answer.body) // 2])
                self.close()
            case "split":
                half = len(answer.body) // 2
                self._head_and(answer, answer.body[:half])
                self.loop.call_later(SPLIT_PAUSE, self._finish, answer.body[half:])
            case _:
                self._head_and(answer, answer.body)
                self._finish(b"")

    def _head_and(self, answer: Answer, part: bytes) -> None:
        length = ("content-length", str(len(answer.body)))
        head = h11.Response(status_code=answer.status, headers=[*answer.headers, length])
        self.transport.write((self.h11.send(head) or b"") + (self.h11.send(h11.Data(part)) or b""))

    def _finish(self, rest: bytes) -> None:
        if self.closing:
            return
        data = (self.h11.send(h11.Data(rest)) or b"") + (self.h11.send(h11.EndOfMessage()) or b"")
        self.transport.write(data)
        if self.h11.our_state is h11.MUST_CLOSE:
            self.close()
        else:
            self.h11.start_next_cycle()
            self._pump()

    def limit_streams(self, count: int) -> None:
        """Do nothing: there is one request at a time."""

    def leave(self, goaway: Goaway) -> None:
        """Close, which is all the farewell HTTP/1.1 has."""
        del goaway
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
