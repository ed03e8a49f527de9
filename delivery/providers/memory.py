"""A provider that answers from a script: for rehearsals, and for tests of what stands above."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence

from delivery.providers.contract import Outcome, Push, Target, Verdict

EVERYONE = "*"
REMEMBERED = 100_000


class Memory:
    """Answers each address with the next line of its script; the last line repeats.

    A script is verdicts with spaces between, each with an optional wait: `"throttled:30 accepted"`.
    The address `*` speaks for those not named, `accepted` for all the rest. `sent` keeps the
    (push id, address) of what was asked, in order.
    """

    def __init__(
        self, script: Mapping[str, str] | None = None, *, chunk: int = 100, delay: float = 0
    ) -> None:
        self._script = dict(script or {})
        self._chunk = chunk
        self._delay = delay
        self._asked: Counter[str] = Counter()
        self._closed = False
        self.sent: deque[tuple[str, str]] = deque(maxlen=REMEMBERED)

    async def deliver(
        self, push: Push, targets: Sequence[Target]
    ) -> AsyncIterator[Sequence[Outcome]]:
        """Yield the scripted outcomes, a chunk at a time."""
        for start in range(0, len(targets), self._chunk):
            await asyncio.sleep(self._delay)
            yield [self._answer(push, target) for target in targets[start : start + self._chunk]]

    async def close(self) -> None:
        """Hang up: from here on nothing is taken any more."""
        self._closed = True

    def _answer(self, push: Push, target: Target) -> Outcome:
        if self._closed:
            return Outcome(target.token_id, Verdict.UNAVAILABLE, "closed")
        self.sent.append((push.push_id(target.token_id), target.address))
        line = self._line(target.address)
        verdict, _, wait = line.partition(":")
        return Outcome(
            target.token_id,
            Verdict(verdict),
            reason="" if verdict == Verdict.ACCEPTED else "scripted",
            provider_ref=push.push_id(target.token_id) if verdict == Verdict.ACCEPTED else "",
            retry_after=float(wait) if wait else None,
        )

    def _line(self, address: str) -> str:
        lines = self._script.get(address, self._script.get(EVERYONE, "accepted")).split()
        said = self._asked[address]
        self._asked[address] += 1
        return lines[min(said, len(lines) - 1)]
