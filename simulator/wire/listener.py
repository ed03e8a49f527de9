"""A TLS port in front of one service, and the connections living on it."""

import asyncio
import ssl

from simulator.wire.http1 import Http1Connection
from simulator.wire.http2 import Http2Connection
from simulator.wire.messages import Goaway, Peer, Service
from simulator.wire.traffic import Traffic

Living = Http1Connection | Http2Connection


class Listener:
    """Accept connections for a service until closed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.traffic = Traffic()
        self.connections: dict[int, Living] = {}
        self.numbers = 0
        self.server: asyncio.Server | None = None

    async def open(self, host: str, port: int, tls: ssl.SSLContext) -> int:
        """Listen and return the port that was given."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(
            lambda: Doorman(self), host, port, ssl=tls, backlog=1024, ssl_handshake_timeout=20
        )
        return int(self.server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening and cut every connection."""
        if self.server is not None:
            self.server.close()
        for connection in list(self.connections.values()):
            connection.abort()

    def apply_limits(self) -> None:
        """Announce the stream limit of the present settings to connections that differ."""
        for connection in self.connections.values():
            connection.limit_streams(self.service.link(connection.peer).max_streams)

    def order(self, action: str, goaway: Goaway, only: int | None = None) -> int:
        """Make living connections leave, stall or disconnect; return how many."""
        chosen = [c for n, c in list(self.connections.items()) if only in {None, n}]
        for connection in chosen:
            if action == "goaway":
                connection.leave(goaway)
            elif action == "stall":
                connection.stall()
            else:
                connection.abort()
        return len(chosen)

    def admit(self, peer_certificate: bytes | None, protocol: str | None) -> Living:
        """Return the protocol for a connection that has shaken hands."""
        self.numbers += 1
        self.traffic.connections_opened += 1
        self.traffic.connections_open += 1
        http = "1.1" if protocol == "http/1.1" else "2"
        peer = Peer(self.numbers, http, peer_certificate)
        kind = Http1Connection if http == "1.1" else Http2Connection
        connection = kind(self.service, peer, self.traffic)
        self.connections[peer.number] = connection
        return connection

    def forget(self, connection: Living) -> None:
        """Note that a connection is gone."""
        del self.connections[connection.peer.number]
        self.traffic.connections_open -= 1


class Doorman(asyncio.Protocol):
    """Look at the handshake, pick the protocol, pass everything on."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.inner: Living | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Choose by ALPN; without any, HTTP/2 by prior knowledge, as Apple does."""
        tls = transport.get_extra_info("ssl_object")
        self.inner = self.listener.admit(
            tls.getpeercert(binary_form=True), tls.selected_alpn_protocol()
        )
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what was read."""
        if self.inner is not None:
            self.inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol and the listener."""
        if self.inner is not None:
            self.inner.connection_lost(exc)
            self.listener.forget(self.inner)
