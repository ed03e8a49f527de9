"""Frames written beside h2, where h2 would rather end the connection."""

import json
import struct
from typing import Any

from h2.connection import H2Connection

GOAWAY = 0x7
REFUSED_STREAM = 0x7
ENHANCE_YOUR_CALM = 0xB
RECOUNT_EVERY = 256


class LeanConnection(H2Connection):
    """An h2 connection that leaves the stream limit and the farewells to its owner."""

    _asked = 0

    @property
    def open_inbound_streams(self) -> int:
        """Return nought: h2 itself never refuses a stream here.

        h2 walks through all its streams whenever one is opened, to count the open ones and forget
        the closed ones. The owner counts by itself, so the walk is taken now and then, to forget.
        """
        self._asked += 1
        if self._asked % RECOUNT_EVERY == 0:
            self._open_streams(1)
        return 0

    def _receive_goaway_frame(self, _frame: Any) -> tuple[list[Any], list[Any]]:
        # h2 calls the connection over; a server still answers what it was asked (RFC 9113 6.8)
        return [], []


def goaway_frame(last_stream: int, code: int, reason: str) -> bytes:
    """Return a GOAWAY frame carrying the reason as JSON, the way Apple sends it."""
    debug = json.dumps({"reason": reason}).encode() if reason else b""
    body = struct.pack(">II", last_stream, code) + debug
    return struct.pack(">I", len(body))[1:] + bytes((GOAWAY, 0)) + struct.pack(">I", 0) + body
