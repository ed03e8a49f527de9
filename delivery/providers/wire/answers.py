"""Header blocks put together and decoded, and answers kept until they are whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hpack import Decoder, HPACKError

from .exchange import NO_HEADERS, Answer
from .frames import ErrorCode, Violation

_BLOCK_CAP: Final = 1 << 16
# What a CONTINUATION weighs beside its bytes, so that endless empty ones come to an end too
_FRAGMENT_WEIGHT: Final = 9
STREAM_WINDOW_STEP: Final = 1 << 15


@dataclass(slots=True)
class Partial:
    """An answer of which more is to come."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytearray = field(default_factory=bytearray)
    unacknowledged: int = 0

    def add(self, data: bytes, cap: int) -> None:
        """Keep what fits under the cap."""
        self.body += data[: cap - len(self.body)]

    def whole(self) -> Answer:
        """Return it as what the caller gets."""
        return Answer(self.status, self.headers, bytes(self.body))


OK: Final = Partial(200, NO_HEADERS)
"""Stands for every skipped 200 whose body has not begun; never written to."""


class HeaderBlocks:
    """Assembles and decodes header blocks, in the order they came, whoever they are for."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=_BLOCK_CAP)
        self._stream = 0
        self._block = bytearray()
        self._weight = 0
        self._ends = False

    @property
    def stateless(self) -> bool:
        """True once the server's table is empty for good, so a block may go by undecoded.

        We announce a table of size 0 and a server must confirm it in its first block (RFC 7541
        §4.2). One that does not is decoded as if we had not asked: an answer matters more than
        a point of order.
        """
        return not self._stream and self._decoder.header_table_size == 0

    def begin(self, stream: int, fragment: bytes, *, ends: bool) -> None:
        """Take the fragment of a HEADERS frame; `ends` says whether its stream ends with it."""
        self._stream, self._ends = stream, ends
        self._block = bytearray(fragment)
        self._weight = len(fragment)

    def extend(self, stream: int, fragment: bytes) -> None:
        """Take the fragment of a CONTINUATION frame."""
        if stream != self._stream or not stream:
            raise Violation(ErrorCode.PROTOCOL_ERROR, "CONTINUATION out of place")
        self._block += fragment
        self._weight += len(fragment) + _FRAGMENT_WEIGHT
        if self._weight > 2 * _BLOCK_CAP:
            raise Violation(ErrorCode.ENHANCE_YOUR_CALM, "header block too large")

    @property
    def open(self) -> bool:
        """True while a block lacks its end: nothing but CONTINUATION may come."""
        return bool(self._stream)

    def finish(self) -> tuple[dict[bytes, bytes], bool]:
        """Return the decoded fields and whether the stream ends with them."""
        block, self._block, self._stream = bytes(self._block), bytearray(), 0
        try:
            decoded = self._decoder.decode(block, raw=True)
        except HPACKError as error:
            raise Violation(ErrorCode.COMPRESSION_ERROR, f"HPACK: {error}") from error
        return _joined(decoded), self._ends


def _joined(decoded: object) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in decoded:  # type: ignore[attr-defined]
        key = bytes(name).lower()
        held = fields.get(key)
        fields[key] = bytes(value) if held is None else held + b", " + bytes(value)
    return fields


def status_of(fields: Mapping[bytes, bytes]) -> int:
    """Return the status a block announces, 0 where it has none to speak of."""
    value = fields.get(b":status", b"")
    return int(value) if len(value) == 3 and value.isdigit() else 0
