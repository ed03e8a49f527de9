"""What a provider answered to one batch, recorded as it comes in."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic

from delivery import breaker, outcomes, pacing
from delivery.models import Batch
from delivery.providers.contract import FINAL, Outcome, Verdict
from delivery.scheduling import claims

log = logging.getLogger(__name__)

RECORD_EVERY = 0.5
"""Seconds: what a lost worker sends twice is at most what was answered since the last record."""

KEEP_EVERY = 1.0
"""Seconds without a record after which a batch whose provider is silent is shown to be ours."""


class Answers:
    """Sorts outcomes into what is final, what must be asked again and what is doubted.

    Final ones go to the ledger at least every `RECORD_EVERY` seconds while answers come in; each
    record also prolongs the batch's lease, and so does waiting for a silent provider.
    """

    def __init__(self, batch: Batch, *, installs: Mapping[int, int | None]) -> None:
        self.again: list[Outcome] = []
        self._batch = batch
        self._installs = installs
        self._final: list[Outcome] = []
        self._doubtful: list[Outcome] = []
        self._answered: set[int] = set()
        self._said: Counter[str] = Counter()
        self._clock = pacing.Clock()
        self._began_at = monotonic()
        self._recorded_at = monotonic()

    @property
    def retry_after(self) -> float:
        """The longest wait a provider asked for, in seconds."""
        return max((o.retry_after or 0.0 for o in self.again), default=0.0)

    def take(self, chunk: Sequence[Outcome]) -> None:
        """Take what came in; a token's first outcome counts."""
        self._clock.count(len(chunk))
        for outcome in chunk:
            verdict = outcome.verdict
            self._answered.add(outcome.token_id)
            self._said[verdict.value] += 1
            if verdict not in FINAL:
                self.again.append(outcome)
            elif verdict is Verdict.UNREGISTERED and not outcome.proven:
                self._doubtful.append(outcome)
            else:
                self._final.append(outcome)
        if monotonic() - self._recorded_at >= RECORD_EVERY:
            self._record()

    def wait(self) -> None:
        """Keep the batch ours while no answer comes: silence may outlast its lease."""
        if monotonic() - self._recorded_at >= KEEP_EVERY:
            self._record()

    def give_up(self, token_ids: Iterable[int], *, reason: str) -> None:
        """Take every token not answered for as uncertain: it may have left."""
        missing = [i for i in token_ids if i not in self._answered]
        if missing:
            self.take([Outcome(i, Verdict.UNCERTAIN, reason=reason) for i in missing])

    def settle(self) -> None:
        """Decide what was doubted, tell the breaker, and record what is left."""
        credential = self._batch.credential
        assert credential is not None  # an answer came through it
        accepted = self._said[Verdict.ACCEPTED.value]
        doubtful, self._doubtful = self._doubtful, []
        for outcome in breaker.judge(credential, doubtful, accepted=accepted):
            (self._final if outcome.verdict in FINAL else self.again).append(outcome)
        refused = [o for o in self.again if o.verdict is Verdict.MISCONFIGURED and o.wide]
        if refused:
            breaker.rest(credential, reason=refused[0].reason)
        pacing.heed(credential, self._clock, self.again)
        self._record()
        self._tell()

    def _record(self) -> None:
        if self._final:
            outcomes.record_outcomes(self._batch.occurrence, self._final, installs=self._installs)
            self._final = []
        claims.keep_batch(self._batch)
        self._recorded_at = monotonic()

    def _tell(self) -> None:
        log.info(
            "batch %d of occurrence %d by %s: %s in %.0f ms",
            self._batch.pk,
            self._batch.occurrence_id,
            self._batch.transport,
            ", ".join(f"{count} {verdict}" for verdict, count in self._said.items()),
            (monotonic() - self._began_at) * 1000,
        )
