"""What a client must make of what it has read: the ending of every request, and when."""

from dataclasses import dataclass
from typing import Any

from bookkeeping_server import REFUSED, Answered, Begun, Goodbye, Limit, Reset

from delivery.providers.wire import Uncertain
from delivery.providers.wire.exchange import NO_HEADERS, Answer

UNSENT = "unsent"


@dataclass
class Live:
    """A request that has begun and not ended."""

    tag: int
    caller: Any
    written_at: int | None = None
    begun: bool = False


class Expectations:
    """A client so simple that it can be believed: no bytes, only what they meant.

    `live` is what must be in flight, by stream; `due` the endings that must have come.
    """

    def __init__(self, policy, *, want_headers):
        self.live, self.due = {}, {}
        self.limit, self.most = 0, policy.max_in_flight
        self.retired = False
        self._cap, self._want_headers = policy.answer_cap, want_headers
        self._next = 1

    @property
    def may_start(self):
        """Whether one more stream would be within what the server has allowed so far."""
        return not self.retired and len(self.live) < min(self.limit, self.most)

    def start(self, tag, caller):
        """Take note of a request begun."""
        self.live[self._next] = Live(tag, caller)
        self._next += 2

    def write(self, now):
        """Take note that all begun so far has been written."""
        for request in self.live.values():
            if request.written_at is None:
                request.written_at = now

    def read(self, facts):
        """Take note of what the server has said."""
        for fact in facts:
            match fact:
                case Limit(streams):
                    self.limit = streams
                case Goodbye(last):
                    self.retired = True
                    for stream in [s for s in self.live if s > last]:
                        self._end(stream, UNSENT)
                case Begun(stream) if stream in self.live:
                    self.live[stream].begun = True
                case Answered(stream) if stream in self.live:
                    self._end(stream, fact)
                case Reset(stream, code) if stream in self.live:
                    refused = code == REFUSED and not self.live[stream].begun
                    self._end(stream, UNSENT if refused else Uncertain)

    def abandon(self, caller):
        """Forget a caller's requests: nobody wants to hear of them."""
        self.live = {s: live for s, live in self.live.items() if live.caller is not caller}

    def expire(self, now, timeout, grace, ended):
        """End what has waited too long; within the grace, whatever the client ended by now."""
        for stream, live in list(self.live.items()):
            waited = -1 if live.written_at is None else now - live.written_at
            if waited >= timeout + grace or (waited >= timeout and live.tag in ended):
                self._end(stream, Uncertain)

    def lose(self):
        """End everything: what was written may have been taken, the rest cannot have been."""
        for stream, live in list(self.live.items()):
            self._end(stream, UNSENT if live.written_at is None else Uncertain)

    def meet(self, tag, ending):
        """Compare an ending that has come with the one that is due."""
        assert tag in self.due, f"{tag} ended with {ending}, out of turn or once more"
        due = self.due.pop(tag)
        if isinstance(due, Answered):
            assert isinstance(ending, Answer)
            assert (ending.status, ending.body) == (due.status, due.body[: self._cap])
            skipped = due.status == 200 and not self._want_headers
            if not (skipped and ending.headers == NO_HEADERS):
                headers = {name.encode(): value.encode() for name, value in due.headers.items()}
                assert ending.headers == headers
        elif due is Uncertain:
            assert isinstance(ending, Uncertain)
        else:
            assert ending == due

    def _end(self, stream, ending):
        self.due[self.live.pop(stream).tag] = ending
