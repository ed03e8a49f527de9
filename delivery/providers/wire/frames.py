"""HTTP/2 frames as bytes (RFC 9113 §4, §6): their kinds, flags, settings and error codes."""

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

DEFAULT_WINDOW: Final = 65_535
MAX_WINDOW: Final = 2**31 - 1
MAX_STREAM_ID: Final = 2**31 - 1
FRAME_SIZE: Final = 16_384
"""The largest frame sent or taken: what every peer must accept, and all we announce (§4.2)."""

# The length is 24 bits on the wire; ours never pass 16 384, so its high byte is a plain zero.
HEAD: Final = struct.Struct(">BHBBL")
LONG: Final = struct.Struct(">L")
_SETTING: Final = struct.Struct(">HL")
_GOAWAY: Final = struct.Struct(">LL")


class ErrorCode(IntEnum):
    """Why a stream or a connection ended (§7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class Violation(Exception):
    """The server broke the protocol in a way that ends the connection."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


def name_of(code: int) -> str:
    """Return the word for an error code, known or not."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame; the payload must fit `FRAME_SIZE`."""
    return HEAD.pack(0, len(payload), kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in values.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return what a SETTINGS payload says, in its order."""
    if len(payload) % 6:
        raise Violation(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of odd length")
    return list(_SETTING.iter_unpack(payload))


def window_update(stream: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, LONG.pack(increment))


def rst_stream(stream: int, code: ErrorCode) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, LONG.pack(code))


def goaway(code: ErrorCode, text: str = "") -> bytes:
    """Return a GOAWAY frame; no server stream was ever accepted, so its last id is 0."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(0, code) + text.encode()[:256])


def read_goaway(payload: bytes) -> tuple[int, int, bytes]:
    """Return last stream id, error code and debug data of a GOAWAY payload."""
    if len(payload) < 8:
        raise Violation(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY too short")
    last, code = _GOAWAY.unpack_from(payload)
    return last & MAX_STREAM_ID, code, payload[8:]


def read_long(payload: bytes, what: str) -> int:
    """Return the one number a RST_STREAM or WINDOW_UPDATE payload carries."""
    if len(payload) != 4:
        raise Violation(ErrorCode.FRAME_SIZE_ERROR, f"{what} must carry 4 bytes")
    number: int = LONG.unpack(payload)[0]
    return number


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return a DATA or HEADERS payload without its padding (§6.1)."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Violation(ErrorCode.PROTOCOL_ERROR, "padding longer than the frame")
    return payload[1 : len(payload) - payload[0]]
