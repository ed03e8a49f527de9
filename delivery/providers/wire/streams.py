"""The requests under way on one connection, how many there may be, and how each of them ends."""

from itertools import takewhile
from typing import Final

from .answers import Partial
from .deadlines import Deadlines
from .exchange import Answer, Recipient, Result, Ticket, Uncertain
from .frames import FRAME_SIZE, MAX_STREAM_ID, ErrorCode, goaway, rst_stream
from .policy import Policy
from .uploads import Uploads

CLOSED: Final = "closed"
"""Why a connection is over that we closed ourselves, for no fault of the server's."""


class Streams:
    """State every part of a connection shares; nothing is kept of a stream that has ended."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._out: list[bytes] = []
        self._streams: dict[int, Ticket] = {}  # in order of id, oldest first
        self._partials: dict[int, Partial] = {}
        self._uploads = Uploads(self._out)
        self._deadlines = Deadlines(policy.request_timeout)
        self._touched: list[Recipient] = []
        self._returned: list[tuple[Ticket, str]] = []
        self._next = 1
        self._written = -1
        self._last_usable = min(2 * policy.max_requests - 1, MAX_STREAM_ID)
        self._unanswered = 0
        self._server_limit = policy.max_in_flight
        self._allowance = 1 if policy.warm_up else policy.max_in_flight
        self.warming = policy.warm_up
        self.wary = False
        """The connection before was cut without a word: have no more in flight than was answered,
        so that the next cut costs less."""
        self.ready = False
        """The server's SETTINGS have come."""
        self.draining = False
        """Nothing new will be started; what is under way may still be answered."""
        self.dead = ""
        """Why the connection is over, once it is."""
        self.slots = 0
        """How many requests may be in flight now; 0 when nothing may be started."""
        self.answered = 0
        self.refused = 0
        self.spurned = 0
        """Refusals since the last answer that left nothing in flight."""

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answer."""
        return len(self._streams)

    @property
    def started(self) -> int:
        """How many requests this connection has carried."""
        return self._next >> 1

    @property
    def room(self) -> int:
        """How many more requests could be started, as far as streams go."""
        left = (self._last_usable - self._next) // 2 + 1
        return max(0, min(self.slots - len(self._streams), left))

    @property
    def full(self) -> bool:
        """True where only the server's own limits, by now known, keep us from starting more."""
        if self.warming or self.draining or self._allowance < self.policy.max_in_flight:
            return False
        return self.ready and (self.room == 0 or self._uploads.window < FRAME_SIZE)

    @property
    def done(self) -> bool:
        """True when the socket has nothing left to be open for."""
        return bool(self.dead) or (self.draining and not self._streams)

    def take_touched(self) -> list[Recipient]:
        """Return those whose `arrived` has become non-empty since the last call."""
        touched, self._touched = self._touched, []
        return touched

    def take_returned(self) -> list[tuple[Ticket, str]]:
        """Return tickets the server provably never processed, each with the reason."""
        returned, self._returned = self._returned, []
        return returned

    def abandon(self, recipient: Recipient) -> None:
        """Cancel whatever this recipient still has under way; its siblings notice nothing."""
        mine = [stream for stream, ticket in self._streams.items() if ticket[1] is recipient]
        for stream in mine:
            self._reset(stream, ErrorCode.CANCEL)

    def expire(self, now: float) -> None:
        """Cancel requests written too long ago; their outcome stays unknown."""
        last = self._deadlines.overdue(now)
        for stream in list(takewhile(lambda opened: opened <= last, self._streams)):
            ticket = self._reset(stream, ErrorCode.CANCEL)
            self._tell(ticket, Uncertain(f"no answer in {self.policy.request_timeout:g} s"))

    def retire(self) -> None:
        """Start nothing more here."""
        self.draining = True
        self.slots = 0

    def lost(self, reason: str) -> None:
        """Take note that the connection is gone.

        Requests whose bytes were handed over are uncertain; those still in our hands are not.
        """
        if self.dead:
            return
        self.retire()
        self.dead = reason or "connection lost"
        for stream, ticket in self._streams.items():
            if stream > self._written:
                self._returned.append((ticket, reason))
            else:
                self._tell(ticket, Uncertain(reason))
        self._streams.clear()
        self._partials.clear()
        self._uploads.waiting.clear()
        self._out.clear()

    def close(self, code: ErrorCode = ErrorCode.NO_ERROR, reason: str = CLOSED) -> None:
        """End the connection from our side: a GOAWAY is the last thing to write."""
        if not self.dead:
            self.lost(reason)
            self._out.append(goaway(code, "" if code == ErrorCode.NO_ERROR else reason))

    def _tell(self, ticket: Ticket, result: Result) -> None:
        recipient = ticket[1]
        if not recipient.arrived:
            self._touched.append(recipient)
        recipient.arrived.append((ticket[0].tag, result))

    def _forget(self, stream: int) -> Ticket:
        self._partials.pop(stream, None)
        return self._streams.pop(stream)

    def _answer(self, stream: int, answer: Answer) -> None:
        """Settle a stream whose answer is whole."""
        ticket = self._forget(stream)
        if self._uploads.drop(stream):  # answered before it was asked in full: no need to go on
            self._out.append(rst_stream(stream, ErrorCode.CANCEL))
        self._tell(ticket, answer)

    def _reset(self, stream: int, code: ErrorCode) -> Ticket:
        """End a stream from our side; what still comes for it will be ignored."""
        self._unanswered += 1
        self._uploads.drop(stream)
        self._out.append(rst_stream(stream, code))
        return self._forget(stream)

    def _fail(self, stream: int, reason: str) -> None:
        """Settle a stream the server has ended without an answer."""
        self._unanswered += 1
        self._uploads.drop(stream)
        self._tell(self._forget(stream), Uncertain(reason))

    def _break(self, stream: int, reason: str) -> None:
        """Settle a stream on which the server made no sense (a stream error, RFC 9113 §5.4.2)."""
        self._tell(self._reset(stream, ErrorCode.PROTOCOL_ERROR), Uncertain(reason))

    def _give_back(self, stream: int, reason: str) -> None:
        """Return a stream's ticket: the server has said it will not process it."""
        self._unanswered += 1
        self._uploads.drop(stream)
        self._returned.append((self._forget(stream), reason))

    def _throttle(self) -> None:
        """After a refusal go on with as many as are left, and grow again answer by answer.

        A rejected push makes APNs refuse every stream beside it; starting them all again at once
        would only have them refused by the next bad token.
        """
        self.refused += 1
        self.spurned += not self._streams
        self._allowance = max(1, len(self._streams))
        self._reslot()

    def _grow(self, answers: int) -> None:
        """Take answers as leave to have more in flight."""
        cap = self.policy.max_in_flight
        if self.warming and not self.wary:
            self._allowance = cap
        else:
            self._allowance = min(cap, self._allowance + (1 if self.wary else 2) * answers)
        self.warming = False
        self._reslot()

    def _reslot(self) -> None:
        usable = self.ready and not self.draining
        self.slots = min(self._server_limit, self._allowance) if usable else 0
