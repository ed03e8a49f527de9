"""One HTTP/2 connection without a socket or a clock: tickets and bytes in, bytes and results out.

The hot path is two functions: `start` packs a request, `_read` recognises a plain 200. Whatever
else a server may say is dealt with, at leisure, in `Reception`.
"""

from typing import Final

from . import frames
from .answers import OK
from .exchange import NO_HEADERS, PLAIN_OK, Answer, Ticket
from .frames import FRAME_SIZE, HEAD, ErrorCode, Violation, frame
from .literals import path_head
from .policy import Policy
from .reception import Reception

_FRAME_HEAD: Final = 9
_END_BOTH: Final = frames.END_HEADERS | frames.END_STREAM
_pack = HEAD.pack
_unpack = HEAD.unpack_from
_STATUS_200: Final = 0x88  # RFC 7541 appendix A, index 8


class Connection(Reception):
    """Starts requests, reads answers, and says what to write.

    Call `take_output` after anything else and write what it returns; then look at
    `take_touched`, `take_returned` and `done`.
    """

    def __init__(self, authority: bytes, policy: Policy, *, want_headers: bool = False) -> None:
        super().__init__(authority, policy, want_headers=want_headers)
        self._rest = b""
        self._window = max(policy.recv_window, frames.DEFAULT_WINDOW)
        self._lead = self._tail = b""
        self._shared = 0
        # A header table of size 0 makes the server's header blocks stateless: see HeaderBlocks.
        ours = {
            frames.HEADER_TABLE_SIZE: 0,
            frames.ENABLE_PUSH: 0,
            frames.INITIAL_WINDOW_SIZE: frames.DEFAULT_WINDOW,
            frames.MAX_HEADER_LIST_SIZE: 1 << 16,
        }
        self._out.append(frames.PREFACE + frames.settings(ours))
        if self._window > frames.DEFAULT_WINDOW:
            self._out.append(frames.window_update(0, self._window - frames.DEFAULT_WINDOW))

    def start(self, ticket: Ticket) -> bool:
        """Begin one request; false, with nothing done, where it has to wait."""
        path, fields, literals, body, _ = ticket[0]
        streams, uploads, size = self._streams, self._uploads, len(body)
        if len(streams) >= self.slots or (size > uploads.window and not self._may_split(size)):
            return False
        if fields is not self._fields:
            self._choose(fields)
        stream = self._next
        self._next = stream + 2
        if stream >= self._last_usable:
            self.retire()
        streams[stream] = ticket
        head = path_head(len(path))
        length = len(head) + len(path) + self._shared + len(literals)
        if 0 < size <= uploads.at_once and size <= uploads.window and length <= FRAME_SIZE:
            uploads.window -= size
            opening, closing = _pack(0, length, 1, 4, stream), _pack(0, size, 0, 1, stream)
            # Joined once, in `take_output`: cheaper than a bytes object for every request.
            self._out += (opening, self._lead, head, path, self._tail, literals, closing, body)
        else:
            block = b"".join((self._lead, head, path, self._tail, literals))
            self._start_in_parts(stream, block, body)
        return True

    def receive(self, data: bytes) -> None:
        """Take bytes from the server, cut anywhere; a server that makes no sense is hung up on."""
        if self.dead:
            return
        before = len(self._streams)
        self._unanswered = 0
        try:
            self._read(data)
            self._settle_window()
        except Violation as violation:
            self.close(violation.code, str(violation))
            return
        answers = before - len(self._streams) - self._unanswered
        if answers > 0:
            self.answered += answers
            self.spurned = 0
            if self._allowance < self.policy.max_in_flight:
                self._grow(answers)

    def take_output(self, now: float) -> bytes:
        """Return what must be written now; their deadlines start with it."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        self._replies = 0
        last = self._next - 2
        if last > self._written:
            self._written = last
            self._deadlines.wrote(last, now)
        return data

    def ping(self) -> None:
        """Ask the server for a sign of life."""
        self._out.append(frame(frames.PING, 0, 0, b"are you?"))

    def _settle_window(self) -> None:
        """Acknowledge what was read, whoever it was for, in steps of half the window."""
        if self._consumed > self._window:
            raise Violation(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the window allows")
        if self._consumed * 2 >= self._window:
            self._out.append(frames.window_update(0, self._consumed))
            self._consumed = 0

    def _may_split(self, size: int) -> bool:
        """Tell whether to begin a body that the connection's window cannot take in full.

        A small one waits, as long as answers may still widen the window; a large one may have to
        be sent in parts anyway.
        """
        return self._uploads.window > 0 and (size > FRAME_SIZE or not self._streams)

    def _choose(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        self._lead, self._tail, lasting = self._table.encode(fields, self.started)
        self._shared = len(self._lead) + len(self._tail)
        self._fields = fields if lasting else None

    def _start_in_parts(self, stream: int, block: bytes, body: bytes) -> None:
        """Open a stream that needs more than one frame of a kind, or none of DATA."""
        kind, ends = frames.HEADERS, 0 if body else frames.END_STREAM
        while len(block) > FRAME_SIZE:
            self._out.append(frame(kind, ends, stream, block[:FRAME_SIZE]))
            kind, ends, block = frames.CONTINUATION, 0, block[FRAME_SIZE:]
        self._out.append(frame(kind, ends | frames.END_HEADERS, stream, block))
        if body:
            self._uploads.begin(stream, body)

    # One loop on purpose: a call for each frame costs more than all else done for it.
    def _read(self, data: bytes) -> None:  # noqa: C901
        """Take frame after frame; the two shapes a 200 comes in are settled on the spot."""
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        streams, partials, touched = self._streams, self._partials, self._touched
        pop, waiting, cap = streams.pop, self._uploads.waiting, self.policy.answer_cap
        while end - at >= _FRAME_HEAD:
            high, size, kind, flags, stream = _unpack(data, at)
            if high or size > FRAME_SIZE:
                raise Violation(ErrorCode.FRAME_SIZE_ERROR, "a frame larger than we take")
            begin = at + _FRAME_HEAD
            if begin + size > end:
                break
            at = begin + size
            if self._may_skip and stream not in waiting:
                if kind == 1 and size and data[begin] == _STATUS_200 and stream not in partials:
                    if flags == _END_BOTH and stream in streams:
                        request, recipient, _ = pop(stream)
                        if not recipient.arrived:
                            touched.append(recipient)
                        recipient.arrived.append((request.tag, PLAIN_OK))
                        continue
                    if flags == frames.END_HEADERS and stream in streams:
                        partials[stream] = OK
                        continue
                elif kind == 0 and flags == 1 and partials.get(stream) is OK and size <= cap:
                    del partials[stream]
                    self._consumed += size
                    request, recipient, _ = pop(stream)
                    if not recipient.arrived:
                        touched.append(recipient)
                    answer = Answer(200, NO_HEADERS, data[begin:at])
                    recipient.arrived.append((request.tag, answer))
                    continue
            self._handle(kind, flags, stream & frames.MAX_STREAM_ID, data[begin:at])
        self._rest = data[at:]
