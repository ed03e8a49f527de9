"""Send-side flow control (RFC 9113 §5.2): the connection's window, and bodies waiting for room."""

from dataclasses import dataclass

from .frames import (
    DATA,
    DEFAULT_WINDOW,
    END_STREAM,
    FRAME_SIZE,
    MAX_WINDOW,
    ErrorCode,
    Violation,
    frame,
)


@dataclass(slots=True)
class _Upload:
    rest: bytes
    window: int


class Uploads:
    """What the server lets us send, and the streams whose bodies did not fit at once.

    `window` and `waiting` are plain: a request whose body fits only subtracts from the one, an
    answer only looks whether the other is empty.
    """

    __slots__ = ("_out", "at_once", "initial", "waiting", "window")

    def __init__(self, out: list[bytes]) -> None:
        self._out = out
        self.waiting: dict[int, _Upload] = {}
        self.window = DEFAULT_WINDOW
        self.initial = DEFAULT_WINDOW
        self.at_once = FRAME_SIZE
        """The largest body a fresh stream takes in one frame."""

    def begin(self, stream: int, body: bytes) -> None:
        """Send what fits of a body; the rest follows as windows open."""
        upload = self.waiting[stream] = _Upload(body, self.initial)
        self._advance(stream, upload)

    def drop(self, stream: int) -> bool:
        """Forget a body; true if part of it was still to be sent."""
        return self.waiting.pop(stream, None) is not None

    def widen(self, increment: int) -> None:
        """Take a WINDOW_UPDATE for the connection."""
        self.window = _within(self.window + increment)
        for stream, upload in list(self.waiting.items()):
            if self.window <= 0:
                return
            self._advance(stream, upload)

    def widen_stream(self, stream: int, increment: int) -> bool:
        """Take a WINDOW_UPDATE for a stream; false if its window would pass what §6.9.1 allows."""
        upload = self.waiting.get(stream)
        if upload is None:
            return True
        upload.window += increment
        if upload.window > MAX_WINDOW:
            return False
        self._advance(stream, upload)
        return True

    def resize(self, initial: int) -> None:
        """Take a new SETTINGS_INITIAL_WINDOW_SIZE; open windows move with it, even below zero."""
        change, self.initial = initial - self.initial, initial
        self.at_once = min(initial, FRAME_SIZE)
        for stream, upload in list(self.waiting.items()):
            upload.window = _within(upload.window + change)
            self._advance(stream, upload)

    def _advance(self, stream: int, upload: _Upload) -> None:
        while (size := min(len(upload.rest), upload.window, self.window, FRAME_SIZE)) > 0:
            chunk, upload.rest = upload.rest[:size], upload.rest[size:]
            upload.window -= size
            self.window -= size
            self._out.append(frame(DATA, 0 if upload.rest else END_STREAM, stream, chunk))
        if not upload.rest:
            del self.waiting[stream]


def _within(window: int) -> int:
    if window > MAX_WINDOW:
        raise Violation(ErrorCode.FLOW_CONTROL_ERROR, "window past 2^31-1")
    return window
