"""What answers say of the credential they came through, and which of them are not believed.

One wrong topic or host makes a provider call every token of an app dead. So a word that may be our
own mistake counts only while the credential is seen to work.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from crm import clock
from delivery.breaker import (
    Leave,
    State,
    breaker_of,
    lock_breaker,
    make_breaker,
    open_breaker,
)
from delivery.models import Batch, Breaker
from delivery.providers.contract import SIBLINGS, Environment, Outcome, Verdict

MANY = 10
"""Doubtful words in a row, on as many tokens, that point at us and not at the tokens."""

NOTED_EVERY = timedelta(minutes=10)
"""How often it is written down that pushes are accepted, while nothing is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the answers to one batch say of its credential.

    `works` counts those that prove it to work: pushes accepted, tokens surely dead. `fault` says
    that nothing can be sent. `elsewhere` are tokens of the other environment, called bad there.
    """

    works: int = 0
    fault: Outcome | None = None
    doubtful: Sequence[Outcome] = ()
    elsewhere: Collection[int] = field(default_factory=frozenset)


class Finding(NamedTuple):
    """What the doubtful answers were, and the breaker that holds the batch up, where one does.

    `closes` is one that can be closed, once this is recorded.
    """

    outcomes: Sequence[Outcome] = ()
    held_by: Breaker | None = None
    closes: Breaker | None = None


def conclude(batch: Batch, leave: Leave, evidence: Evidence) -> Finding:
    """Decide what doubtful answers were, and whether the breaker opens, closes or stays.

    Believed: the tokens go into quarantine. Many among few that prove the credential to work: the
    pushes failed, the tokens are kept. Many in a row without any: the credential is at fault, the
    pushes are asked again. Call it in the transaction that records what it decides.
    """
    breaker = lock_breaker(batch)
    if breaker.state == State.CLOSED:
        return _judge(batch, breaker, evidence)
    if leave.probe and not evidence.fault and (evidence.works or _vouched(batch, evidence)):
        return _judge(batch, breaker, evidence)._replace(closes=breaker)
    if leave.breaker is not None and breaker.next_probe_at == leave.breaker.next_probe_at:
        open_breaker(batch, breaker, fault=evidence.fault or _unproven(evidence, breaker))
    return Finding(_put_off(evidence), breaker)


def _judge(batch: Batch, breaker: Breaker, evidence: Evidence) -> Finding:
    """Decide on what came in through a breaker that is closed, or about to be."""
    fault = evidence.fault
    if fault is None and not evidence.works:
        doubted = _in_row(batch, breaker, evidence)
        if len(doubted) >= MANY:
            fault = evidence.doubtful[0]
        breaker.doubted = doubted
    if fault is not None:
        opened = open_breaker(batch, breaker, fault=fault)
        return Finding(_put_off(evidence), breaker if opened else None)
    if evidence.works:
        breaker.doubted, breaker.worked_at = [], clock.now()
    if breaker.pk is not None:
        breaker.save(update_fields=["doubted", "worked_at"])
    return Finding(_believe(evidence))


def _believe(evidence: Evidence) -> Sequence[Outcome]:
    doubtful = evidence.doubtful
    if evidence.works and len(doubtful) >= MANY and len(doubtful) > evidence.works:
        return [o._replace(verdict=Verdict.REJECTED) for o in doubtful]
    return doubtful


def _put_off(evidence: Evidence) -> Sequence[Outcome]:
    return [o._replace(verdict=Verdict.MISCONFIGURED) for o in evidence.doubtful]


def _unproven(evidence: Evidence, breaker: Breaker) -> Outcome:
    """Give why a probe failed, in which nothing proved the credential to work."""
    if evidence.doubtful:
        return evidence.doubtful[0]
    return Outcome(0, Verdict.MISCONFIGURED, reason=breaker.reason)


def _in_row(batch: Batch, breaker: Breaker, evidence: Evidence) -> list[int]:
    """Give the tokens doubted since something last proved the credential to work, with these.

    A token bad in both environments is no sign against this one, where the other is seen to work.
    """
    if _vouched(batch, evidence):
        return breaker.doubted
    doubtful = sorted(o.token_id for o in evidence.doubtful)
    return list(dict.fromkeys([*breaker.doubted, *doubtful]))


def _vouched(batch: Batch, evidence: Evidence) -> bool:
    """Say whether all that is doubted was called bad in the other environment, which works."""
    doubtful = {o.token_id for o in evidence.doubtful}
    if not doubtful or not doubtful.issubset(evidence.elsewhere):
        return False
    assert batch.credential is not None  # it was admitted
    other = Breaker.objects.filter(
        credential__app=batch.credential.app_id,
        credential__provider=batch.credential.provider,
        environment=SIBLINGS[Environment(batch.environment)],
        topic=batch.topic,
        worked_at__isnull=False,
    )
    return other.exists()


def note_health(batch: Batch, leave: Leave, evidence: Evidence) -> None:
    """Write down that a credential works: now and then, and where there was doubt."""
    now, known = clock.now(), leave.breaker
    if not evidence.works:
        return
    if known is None:
        make_breaker(batch)
    elif known.worked_at and now - known.worked_at < NOTED_EVERY and not known.doubted:
        return
    closed = breaker_of(batch).filter(state=State.CLOSED)
    closed.update(worked_at=now, doubted=[])
