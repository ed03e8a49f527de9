"""A server made of the h2 package, with all its checks on, that answers as a test tells it to."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from delivery.providers.wire import Endpoint, Policy, Pool, Request, encode_literal

FIELDS = ((b"apns-topic", b"com.example.app"), (b"apns-push-type", b"alert"))
_LIMIT = 30


def run(coroutine):
    """Run a coroutine on a fresh loop; no test waits for ever."""

    async def bounded():
        async with asyncio.timeout(_LIMIT):
            return await coroutine

    return asyncio.run(bounded())


def requests(count, *, body=b'{"aps":{}}', path=b"/3/device/%d", fields=FIELDS, first=0):
    return [
        Request(
            path.replace(b"%d", b"%d" % n), fields, encode_literal(b"apns-id", b"%d" % n), body, n
        )
        for n in range(first, first + count)
    ]


async def collect(pool, asked):
    """Send and return tag → result, making sure that nothing is answered twice."""
    got = {}
    async for batch in pool.send(asked):
        assert batch
        for tag, result in batch:
            assert tag not in got
            got[tag] = result
    assert got.keys() == {request.tag for request in asked}
    return got


async def until(condition, limit=5.0):
    """Wait for something another party brings about, without a hook to tell us."""
    deadline = asyncio.get_running_loop().time() + limit
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


@dataclass
class Asked:
    """One request as the server has seen it."""

    stream: int
    headers: dict
    body: bytes = b""

    @property
    def path(self):
        return self.headers[b":path"]

    @property
    def number(self):
        return int(self.path.rsplit(b"/", 1)[1])


@dataclass
class Server:
    """What all connections of one test's server have in common."""

    behave: Callable
    settings: dict
    acknowledge: bool = True
    greet: bool = True
    on_connect: Callable | None = None
    port: int = 0
    peers: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    most: int = 0
    errors: list = field(default_factory=list)

    @property
    def open(self):
        return [peer for peer in self.peers if not peer.gone]


class Peer(asyncio.Protocol):
    """One connection, seen from the server."""

    def __init__(self, server):
        self.server = server
        self.number = -1
        self.gone = self.deaf = False
        self.pings = self.resets = 0
        self.goaway = None
        self.last = 2**31
        self.pending = {}
        self.answered = 0
        self.unanswered = set()
        self.conn = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
        self.conn.local_settings = h2.settings.Settings(
            client=False, initial_values=server.settings
        )

    def connection_made(self, transport):
        self.transport = transport
        self.number = len(self.server.peers)
        self.server.peers.append(self)
        if self.server.greet:
            self.conn.initiate_connection()
        if self.server.on_connect:
            self.server.on_connect(self)
        self.flush()

    def connection_lost(self, exc):
        self.gone = True

    def data_received(self, data):
        if self.deaf:
            return
        try:
            events = self.conn.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.server.errors.append(repr(error))
            self.flush()
            self.transport.close()
            return
        for event in events:
            self.take(event)
        self.flush()

    def take(self, event):
        match event:
            case h2.events.RequestReceived():
                self.pending[event.stream_id] = Asked(event.stream_id, dict(event.headers))
                self.unanswered.add(event.stream_id)
                self.server.most = max(self.server.most, len(self.unanswered))
            case h2.events.DataReceived():
                self.pending[event.stream_id].body += event.data
                if self.server.acknowledge and event.flow_controlled_length:
                    self.conn.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
            case h2.events.StreamEnded():
                asked = self.pending.pop(event.stream_id)
                if event.stream_id > self.last:
                    return  # came after our GOAWAY: not looked at
                self.server.asked.append(asked)
                try:
                    self.server.behave(self, asked)
                except Exception as error:  # noqa: BLE001 - asyncio would only log it
                    self.server.errors.append(repr(error))
            case h2.events.StreamReset():
                self.resets += 1
                self.pending.pop(event.stream_id, None)
                self.unanswered.discard(event.stream_id)
            case h2.events.PingReceived():
                self.pings += 1
            case h2.events.ConnectionTerminated():
                self.goaway = event

    def flush(self):
        data = self.conn.data_to_send()
        if data and not self.gone:
            self.transport.write(data)

    def later(self, delay, act, *args):
        def guarded():
            if not self.gone:
                act(*args)
                self.flush()

        asyncio.get_running_loop().call_later(delay, guarded)

    def answer(self, asked, status=200, body=b"", headers=()):
        if self.gone or self.goaway or asked.stream not in self.unanswered:
            return
        self.unanswered.discard(asked.stream)
        self.answered += 1
        with suppress(h2.exceptions.StreamClosedError):
            fields = [(":status", str(status)), *headers]
            self.conn.send_headers(asked.stream, fields, end_stream=not body)
            for part in batched(body, 16_384):
                self.conn.send_data(asked.stream, part, end_stream=False)
            if body:
                self.conn.end_stream(asked.stream)
        self.flush()

    def refuse(self, asked, code=7):
        self.unanswered.discard(asked.stream)
        self.conn.reset_stream(asked.stream, code)
        self.flush()

    def change(self, **values):
        self.conn.update_settings({SettingCodes[name]: value for name, value in values.items()})
        self.flush()

    def raw(self, data):
        self.flush()
        self.transport.write(data)

    def say_goodbye(self, last, code=0, debug=b""):
        """Send a GOAWAY by hand: h2 would close the connection, and go on answering."""
        self.last = last
        self.raw(GoAwayFrame(0, last, code, debug).serialize())

    def drop(self):
        self.flush()
        self.transport.abort()


def batched(body, size):
    return [body[at : at + size] for at in range(0, len(body), size)]


def accept(peer, asked):
    peer.answer(asked)


def setting(**values):
    return {SettingCodes[name]: value for name, value in values.items()}


@asynccontextmanager
async def serving(certificates, behave=accept, *, protocols=("h2",), settings=None, **options):
    """Serve on loopback until the block ends; a protocol error h2 found in our bytes fails it."""
    values = settings or setting(MAX_CONCURRENT_STREAMS=100)
    state = Server(behave, values, **options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Peer(state), "127.0.0.1", 0, ssl=certificates.server(protocols)
    )
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for peer in state.peers:
            peer.transport.abort()
        await server.wait_closed()
        await until(lambda: all(peer.gone for peer in state.peers))
    assert state.errors == []


@asynccontextmanager
async def pooling(
    certificates, port, *, protocols=("h2",), want_headers=False, on_goaway=None, **policy
):
    """A pool with short waits, closed when the block ends."""
    waits = {
        "connect_timeout": 3.0,
        "request_timeout": 5.0,
        "queue_timeout": 5.0,
        "backoff_first": 0.02,
    }
    endpoint = Endpoint("127.0.0.1", port, certificates.client(protocols), "localhost")
    pool = Pool(
        endpoint, policy=Policy(**(waits | policy)), want_headers=want_headers, on_goaway=on_goaway
    )
    try:
        yield pool
    finally:
        await pool.close()
        assert pool.stats.connections == 0
