"""What crosses the wire module: requests in; answers, or the lack of one, out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from .frames import name_of


class Request(NamedTuple):
    """One POST.

    A tuple, because one is built for every push and taken apart in one step.
    """

    path: bytes
    """Percent-encoded already; sent as it is."""
    fields: tuple[tuple[bytes, bytes], ...]
    """Header fields many requests share. Reuse the same tuple object: it costs a few bytes then.
    Lower-case names, no pseudo-headers; the connection adds :method, :scheme and :authority."""
    literals: bytes
    """Fields unique to this request, or secret: joined `encode_literal` results, never indexed."""
    body: bytes
    tag: Any
    """Comes back with the result, untouched."""


class Answer(NamedTuple):
    """What the server said.

    `headers` have lower-case names, repeated fields joined by ", ". A 200 whose header block was
    skipped (a pool without `want_headers`) has none.
    """

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class Unsent:
    """The server provably never processed the request; it is safe to send again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The request left and no answer came; the server may have acted on it."""

    reason: str


@dataclass(frozen=True, slots=True)
class GoAway:
    """The server's last words on a connection."""

    last_stream: int
    code: int
    debug: bytes

    def __str__(self) -> str:
        words = self.debug.decode("utf-8", "replace")
        return f"GOAWAY {name_of(self.code)} {words}".rstrip()


Result = Answer | Unsent | Uncertain

NO_HEADERS: Final[Mapping[bytes, bytes]] = MappingProxyType({})
PLAIN_OK: Final = Answer(200, NO_HEADERS, b"")
"""The answer to nearly every push: 200, nothing else; one object serves them all."""


class Recipient(Protocol):
    """Whoever asked: results are appended to `arrived`, which it swaps out when it reads them."""

    arrived: list[tuple[Any, Result]]

    def wake(self) -> None:
        """Go and look at `arrived`."""


Ticket = tuple[Request, Recipient, int]
"""A request on its way, who asked for it, and how often it has come back unsent."""
