"""What a service sees of a request, and what it asks the connection to do in return."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(slots=True)
class Peer:
    """The other end of one connection, and what a service remembers about it."""

    number: int
    http: str
    certificate: bytes | None = None  # DER of the client's certificate
    memory: Any = None


@dataclass(slots=True)
class Request:
    """One complete request."""

    peer: Peer
    stream: int
    method: str
    path: str
    headers: Headers
    body: bytes

    def values(self, name: bytes) -> list[str]:
        """Return every value sent under this lower-case name."""
        return [text_of(value) for key, value in self.headers if key == name]

    def value(self, name: bytes) -> str | None:
        """Return the first value sent under this lower-case name."""
        for key, value in self.headers:
            if key == name:
                return text_of(value)
        return None


@dataclass(frozen=True, slots=True)
class Goaway:
    """An announcement that the connection is about to end."""

    last: str | int = "this"  # this | previous | all | a stream id
    code: int = 0
    reason: str = "Shutdown"
    order: str = "after"  # before | after | instead of the answer
    close: str = "drain"  # drain | now | never


@dataclass(frozen=True, slots=True)
class Fault:
    """A way for the connection to misbehave instead of, or while, answering."""

    kind: (
        str  # stall | stall_connection | disconnect | disconnect_mid_body | reset | split | goaway
    )
    code: int = 0
    goaway: Goaway | None = None


@dataclass(slots=True)
class Answer:
    """A response, when to give it, and what else should happen to the connection."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    delay: float = 0.0
    fault: Fault | None = None
    max_streams: int | None = None  # announce this limit before answering
    refuse_rest: bool = False  # reset what was not looked at yet with REFUSED_STREAM
    hang_up: bool = False  # close after the answer


@dataclass(frozen=True, slots=True)
class Link:
    """The terms under which a connection starts."""

    max_streams: int
    over_limit: str
    initial_window: int
    window_update_delay: float
    latency: float


class Service(Protocol):
    """One provider behind a listener."""

    provider: str

    def link(self, peer: Peer) -> Link:
        """Return the terms for a new or living connection."""

    def handle(self, request: Request) -> Answer:
        """Judge one request, record it, and say how to answer."""


def text_of(raw: bytes) -> str:
    """Return header bytes as text, whatever they are."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
