"""What a provider answered to one batch, recorded as it comes in."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic, sleep

from django.db import InterfaceError, OperationalError, connection

from delivery import breaker, outcomes
from delivery.models import Batch
from delivery.providers.contract import FINAL, Outcome, Verdict
from delivery.scheduling import claims

log = logging.getLogger(__name__)

RECORD_EVERY = 0.5
"""Seconds: what a lost worker sends twice is at most what was answered since the last record."""

KEEP_EVERY = 1.0
"""Seconds without a record after which a batch whose provider is silent is shown to be ours."""


PATIENCE = 20.0
"""Seconds answers are kept for a database that takes none: a worker that gave up would have its
successor send all of them again."""

PAUSE = 0.5


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
        self._began_at = monotonic()
        self._recorded_at = monotonic()

    @property
    def retry_after(self) -> float:
        """The longest wait a provider asked for, in seconds."""
        return max((o.retry_after or 0.0 for o in self.again), default=0.0)

    def take(self, chunk: Sequence[Outcome]) -> None:
        """Take what came in; a token's first outcome counts."""
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
        self._record()
        self._tell()

    def _record(self) -> None:
        gives_up_at = monotonic() + PATIENCE
        while not self._recorded():
            if monotonic() > gives_up_at:
                raise OperationalError("the ledger took nothing in time")
            sleep(PAUSE)
        self._recorded_at = monotonic()

    def _recorded(self) -> bool:
        """Store what is final; False where the database is away, or has no room."""
        try:
            claims.keep_batch(self._batch)  # first: it may work where the ledger cannot grow
            if self._final:
                outcomes.record_outcomes(
                    self._batch.occurrence, self._final, installs=self._installs
                )
        except (OperationalError, InterfaceError) as fault:
            log.warning("batch %d waits for the ledger: %s", self._batch.pk, type(fault).__name__)
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            return False
        self._final = []
        return True

    def _tell(self) -> None:
        log.info(
            "batch %d of occurrence %d by %s: %s in %.0f ms",
            self._batch.pk,
            self._batch.occurrence_id,
            self._batch.transport,
            ", ".join(f"{count} {verdict}" for verdict, count in self._said.items()),
            (monotonic() - self._began_at) * 1000,
        )
