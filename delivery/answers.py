"""What a provider answered to one batch, recorded as it comes in."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep

from django.db import InterfaceError, OperationalError, connection, transaction

from crm.commands.token_health import learn_environment
from delivery import metrics, outcomes, pacing
from delivery.breaker import Leave, close_breakers, restore_doubted
from delivery.doubt import Evidence, Finding, conclude, note_health
from delivery.health import health
from delivery.models import Batch, Breaker, ProviderCredential
from delivery.providers.contract import FINAL, SIBLINGS, Environment, Outcome, Verdict
from delivery.providers.vocabulary import short
from delivery.scheduling import claims
from delivery.targeting.credentials import find_credential

log = logging.getLogger(__name__)

RECORD_EVERY = 0.5
"""Seconds: what a lost worker sends twice is at most what was answered since the last record."""

KEEP_EVERY = 1.0
"""Seconds without a record after which a batch whose provider is silent is shown to be ours."""

PATIENCE = 20.0
"""Seconds answers are kept for a database that takes none: a worker that gave up would have its
successor send all of them again."""

PAUSE = 0.5

ACCEPTED = Verdict.ACCEPTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is known of the tokens of a batch before their provider answers.

    `unknown` are those whose environment, the batch's, is a guess; `elsewhere` those that were
    guessed to be of the other one and are tried here.
    """

    installs: Mapping[int, int | None] = field(default_factory=dict)
    unknown: Collection[int] = frozenset()
    elsewhere: Collection[int] = frozenset()


class Answers:
    """Sorts outcomes into what is final, what must be asked again and what is doubted.

    Final ones go to the ledger at least every `RECORD_EVERY` seconds while answers come in; each
    record also prolongs the batch's lease, and so does waiting for a silent provider. When settled,
    `again` are to be asked again, `moving` in the other environment, with the credential `there`,
    and `unsure` once more though they may have arrived.
    """

    def __init__(self, batch: Batch, asked: Asked, leave: Leave | None = None) -> None:
        self.again: list[Outcome] = []
        self.moving: list[Outcome] = []
        self.unsure: list[Outcome] = []
        self.there: ProviderCredential | None = None
        self.latest: Outcome | None = None
        self.finding = Finding()
        self._batch = batch
        self._asked = asked
        self._leave = leave or Leave()
        # a batch whose worker vanished is sent again for that: once is enough
        wanted = batch.occurrence.notification.resend_uncertain
        self._resends = wanted and not batch.resent and not batch.lost
        self._final: list[Outcome] = []
        self._doubtful: list[Outcome] = []
        self._found: list[int] = []
        self._answered: set[int] = set()
        self._said: Counter[str] = Counter()
        self._why: Counter[tuple[str, str]] = Counter()
        self._lag = Lag(batch)
        self._surely_dead = 0
        self._clock = pacing.Clock()
        self._began_at = monotonic()
        self._recorded_at = monotonic()

    def take(self, chunk: Sequence[Outcome]) -> None:
        """Take what came in; a token's first outcome counts."""
        if not chunk:
            return
        self._clock.count(len(chunk))
        for outcome in chunk:
            verdict = outcome.verdict
            self._answered.add(outcome.token_id)
            self._said[verdict.value] += 1
            if verdict is ACCEPTED:
                self._final.append(outcome)
            else:
                self._why[verdict.value, outcome.reason] += 1
                self._place(outcome).append(outcome)
        self.latest = outcome
        self._lag.begin()
        if monotonic() - self._recorded_at >= RECORD_EVERY:
            self._record()

    def _place(self, outcome: Outcome) -> list[Outcome]:
        """Give the list for what is no plain yes."""
        if outcome.verdict not in FINAL:
            return self.again
        if outcome.verdict is Verdict.UNCERTAIN and self._resends:
            return self.unsure
        if not outcome.proven:
            return self._doubtful
        self._surely_dead += outcome.verdict is Verdict.UNREGISTERED
        return self._final

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
        assert self._batch.credential is not None  # an answer came through it
        waits = [outcome for outcome in self.again if not outcome.outage]
        pacing.heed(self._batch.credential, self._clock, waits)
        moving, doubtful = self._part_doubtful()
        evidence = Evidence(
            works=self._said[ACCEPTED.value] + self._surely_dead,
            fault=next(filter(stops_all, self.again), None),
            doubtful=doubtful,
            elsewhere=self._asked.elsewhere,
        )
        self._decide(evidence)
        self.moving, self._doubtful = moving, []
        self._learn()
        self._tell()

    def _decide(self, evidence: Evidence) -> None:
        if not (self._leave.probe or evidence.fault or evidence.doubtful):
            self._record()
            note_health(self._batch, self._leave, evidence)
            return
        with transaction.atomic():
            self.finding = conclude(self._batch, self._leave, evidence)
            decided = self.finding.outcomes
            self._store([o for o in decided if o.verdict in FINAL])
        # each in a transaction of its own: whoever records outcomes locks nothing after them
        self._keep()
        if self.finding.held_by is not None:
            restore_doubted(self.finding.held_by)
        if self.finding.closes is not None:
            close_breakers(Breaker.objects.filter(pk=self.finding.closes.pk))
        self.again += [o for o in decided if o.verdict not in FINAL]

    def _part_doubtful(self) -> tuple[list[Outcome], list[Outcome]]:
        """Set apart what the other environment is to be asked about first, where one can be."""
        stray = [o for o in self._doubtful if o.elsewhere and o.token_id in self._asked.unknown]
        if not stray:
            return [], self._doubtful
        environment = SIBLINGS[Environment(self._batch.environment)]
        self.there = find_credential(self._batch, environment=environment)
        if self.there is None:
            return [], self._doubtful
        away = {o.token_id for o in stray}
        return stray, [o for o in self._doubtful if o.token_id not in away]

    def _record(self) -> None:
        gives_up_at = monotonic() + PATIENCE
        while not self._recorded():
            if monotonic() > gives_up_at:
                raise OperationalError("the ledger took nothing in time")
            sleep(PAUSE)

    def _recorded(self) -> bool:
        """Store what is final; False where the database is away, or has no room."""
        try:
            self._keep()  # first: it may work where the ledger cannot grow
            self._store()
        except (OperationalError, InterfaceError) as fault:
            self._lag.grow()
            log.warning("batch %d waits for the ledger: %s", self._batch.pk, type(fault).__name__)
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
            return False
        return True

    def _keep(self) -> None:
        claims.keep_batch(self._batch)
        self._recorded_at = monotonic()

    def _store(self, decided: Sequence[Outcome] = ()) -> None:
        final = [*self._final, *decided]
        if final:
            outcomes.record_outcomes(self._batch.occurrence, final, installs=self._asked.installs)
            if self._asked.elsewhere:
                accepted = {o.token_id for o in final if o.verdict is ACCEPTED}
                self._found += accepted.intersection(self._asked.elsewhere)
            self._final = []
            self._lag.end()

    def _learn(self) -> None:
        """Keep of which environment those are that were accepted where they were only tried."""
        if self._found:
            app_id = self._batch.occurrence.notification.app_id
            environment = self._batch.environment
            learn_environment(self._found, app_id=app_id, environment=environment)

    @property
    def said(self) -> Mapping[str, int]:
        """How many answers there were of each verdict."""
        return self._said

    def _count(self) -> None:
        assert self._batch.credential is not None  # an answer came through it
        provider = self._batch.credential.provider
        why: Counter[tuple[str, str]] = Counter()
        for (verdict, reason), count in self._why.items():
            why[verdict, short(reason)] += count
        metrics.count_answers(provider, self._said, why)
        metrics.ANSWER_SECONDS.labels(provider).observe(self._clock.first())
        health.note(self._batch.credential.pk, self._said, first=self._clock.first())
        took = monotonic() - self._began_at
        metrics.BATCH_SECONDS.labels(provider, self._batch.lane).observe(took)

    def _tell(self) -> None:
        self._count()
        log.info(
            "batch %d of occurrence %d by %s: %s in %.0f ms",
            self._batch.pk,
            self._batch.occurrence_id,
            self._batch.transport,
            ", ".join(f"{count} {verdict}" for verdict, count in self._said.items()),
            (monotonic() - self._began_at) * 1000,
        )


class Lag:
    """How long the oldest answer that is not recorded yet has been waiting for the ledger."""

    def __init__(self, batch: Batch) -> None:
        self._provider = batch.credential.provider if batch.credential is not None else ""
        self._since: float | None = None
        self._grown = False

    def begin(self) -> None:
        """Note that an answer waits from now on, where none did."""
        if self._since is None:
            self._since = monotonic()

    def grow(self) -> None:
        """Show it: the ledger has refused what waits."""
        self._grown = True
        since = monotonic() if self._since is None else self._since
        metrics.LEDGER_LAG.labels(self._provider).set(monotonic() - since)

    def end(self) -> None:
        """Note that all of it is recorded."""
        if self._since is not None:
            waited = monotonic() - self._since
            metrics.RECORD_SECONDS.labels(self._provider).observe(waited)
        if self._grown:
            metrics.LEDGER_LAG.labels(self._provider).set(0)
        self._since, self._grown = None, False


def stops_all(outcome: Outcome) -> bool:
    """Say whether an outcome means that nothing can be sent through the credential now."""
    return outcome.outage or (outcome.verdict is Verdict.MISCONFIGURED and outcome.wide)
