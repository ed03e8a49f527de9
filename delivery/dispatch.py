"""Batch → provider → outcomes."""

import logging
import random
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import Error

from crm import clock
from crm.models import App, DeviceToken
from delivery import breaker, capping, context, leftovers, metrics, outcomes, pacing, tracing
from delivery.answers import Answers, Asked
from delivery.backoff import backoff
from delivery.breaker import Leave, Rest
from delivery.message import named, read_message
from delivery.models import Batch, Delivery, ProviderCredential
from delivery.models.notification import Lane
from delivery.outcomes import Ending
from delivery.providers import runtime
from delivery.providers.contract import (
    Credentials,
    Environment,
    Outcome,
    Provider,
    Push,
    Target,
    Transport,
    Verdict,
)
from delivery.providers.registry import registry
from delivery.providers.vocabulary import short
from delivery.scheduling import claims
from delivery.scheduling.division import Part, divide_batch
from delivery.statement import fetch_rows

log = logging.getLogger(__name__)

MOST_LOST = 5
"""Workers a batch may cost: each may have pushed to all of it, and unseen by us."""

CALLED_OFF = "cancelled while it was under way"
HELD, HELD_FOR = "paused", timedelta(seconds=60)
"""How long a batch that is held up is not looked at; whoever lets it go wakes it at once."""


class Addressee(NamedTuple):
    """A token of a batch as it is now, which may differ from when it was planned."""

    token_id: int
    address: str
    install_id: int | None
    state: str
    environment: str
    environment_known: bool


def deliver_next(queue: str) -> bool:
    """Push a queue's next due batch; False where none is waiting."""
    batch = claims.take_next(queue, now=clock.now())
    if batch is None:
        return False
    notification = batch.occurrence.notification
    with context.about(
        notification.request_id,
        notification=notification.pk,
        occurrence=batch.occurrence_id,
        batch=batch.pk,
    ):
        deliver(batch)
        claims.finish_occurrence(batch.occurrence_id)
    return True


def deliver(batch: Batch) -> None:
    """Push what is left of a batch and record every answer.

    What must be asked again goes back to wait: for the longest of our backoff and the provider's
    wish, and no longer than the message lives.
    """
    left = remainder(batch)
    if not left:
        claims.close_batch(batch)
    elif clock.now() >= batch.occurrence.expires_at:
        _expire(batch, left, reason=batch.last_reason)
    elif batch.occurrence.called_off_at is not None:
        _end(batch, left, Delivery.Verdict.CANCELLED, reason=CALLED_OFF)
        claims.close_batch(batch)
    elif batch.occurrence.held_at is not None:
        metrics.PUT_OFF.labels("held").inc()
        divide_batch(batch, [Part(_ids(left), wait=HELD_FOR, reason=HELD)])
    elif batch.lost >= MOST_LOST:
        _end(batch, left, Delivery.Verdict.UNCERTAIN, reason="every worker that tried vanished")
        claims.close_batch(batch)
    elif isinstance(leave := breaker.admit(batch, now=clock.now()), Rest):
        metrics.PUT_OFF.labels("breaker" if leave.breaker else "no credential").inc()
        waits = Part(_ids(left), wait=leave.wait, reason=leave.reason, breaker=leave.breaker)
        _put_back(batch, left, [waits])
    elif (wait := pacing.wait_for_turn(batch, pushes=leave.most(len(left)))) is not None:
        metrics.PUT_OFF.labels("paced").inc()
        breaker.hand_back(leave)
        _put_back(batch, left, [Part(_ids(left), wait=wait, reason=pacing.PACED)])
    else:
        _send(batch, left, leave)


# Key by key, whatever the planner knows of the tables: hashed, the ledger of a whole occurrence
# would be read for every batch again. It has nothing of a batch taken up for the first time.
REMAINDER = """
SELECT wanted.id, coalesce(known.value, ''), known.install_id, coalesce(known.state, 'dead'),
       known.environment, known.environment_known
  FROM (SELECT unnest(token_ids) AS id FROM delivery_batch WHERE id = %(batch)s) wanted
  LEFT JOIN crm_devicetoken known ON known.id = wanted.id
 WHERE NOT (%(begun)s AND EXISTS (
       SELECT FROM delivery_delivery settled
        WHERE settled.day = %(day)s AND settled.occurrence_id = %(occurrence)s
          AND settled.token_id = wanted.id))
 ORDER BY wanted.id
"""


def remainder(batch: Batch) -> Sequence[Addressee]:
    """Give the tokens of a batch the ledger has no outcome for yet, in key order."""
    which = {
        "batch": batch.pk,
        "begun": batch.attempts > 1,
        "day": batch.occurrence.ledger_day,
        "occurrence": batch.occurrence_id,
    }
    return [Addressee(*row) for row in fetch_rows(REMAINDER, which)]


def _send(batch: Batch, left: Sequence[Addressee], leave: Leave) -> None:
    gone = [a for a in left if a.state != DeviceToken.State.ALIVE]
    _end(batch, gone, Delivery.Verdict.UNREGISTERED, reason="retired since it was planned")
    living = [a for a in left if a.state == DeviceToken.State.ALIVE] if gone else left
    # found out since by another push; who is only tried here is not known to be of either
    moved = {
        a.token_id: a.environment
        for a in living
        if a.environment != batch.environment and a.environment_known
    }
    here = [a for a in living if a.token_id not in moved] if moved else living
    now, later = _chosen(here, leave)
    parts = leftovers.moved_parts(batch, moved)
    if now:
        parts += _push(batch, now, leave, later=later)
    else:
        breaker.hand_back(leave)
    _put_back(batch, living, parts)


def _chosen(
    here: Sequence[Addressee], leave: Leave
) -> tuple[Sequence[Addressee], Sequence[Addressee]]:
    """Give who is pushed to now and who is not: a probe is a few, and other ones each time."""
    if not leave.probe or len(here) <= breaker.SAMPLE:
        return here, []
    few = set(random.sample(range(len(here)), breaker.SAMPLE))
    return [here[n] for n in sorted(few)], [a for n, a in enumerate(here) if n not in few]


def _push(
    batch: Batch, here: Sequence[Addressee], leave: Leave, *, later: Sequence[Addressee]
) -> list[Part]:
    """Push to everybody here and give what is to be asked again, with those kept for later.

    The cap comes last, when nothing else is in the way: what only waits takes no slot.
    """
    assert batch.credential is not None  # the breaker lets none pass without
    try:
        provider, push = registry.adapter_for(opened(batch.credential)), push_of(batch)
    except Exception as fault:  # a secret sealed with a lost key, a message of a later version
        log.exception("batch %d cannot be sent as it is", batch.pk)
        breaker.hand_back(leave)
        wait = backoff(batch.tries + 1)
        return [Part(_ids([*here, *later]), wait=wait, reason=_told(fault), tried=True)]
    if (capped := capping.take_slots(batch, [a.install_id for a in here])).installs:
        over = [a for a in here if a.install_id in capped.installs]
        _end(batch, over, Delivery.Verdict.CAPPED, reason=capped.reason)
        here = [a for a in here if a.install_id not in capped.installs]
    if not here:
        breaker.hand_back(leave)
        return leftovers.unprobed(leave, later=_ids(later))
    answers = _ask_traced(batch, here, provider, push, leave)
    return leftovers.parts_of(batch, answers, later=_ids(later))


def _ask_traced(
    batch: Batch, left: Sequence[Addressee], provider: Provider, push: Push, leave: Leave
) -> Answers:
    """Ask as `_ask` does, told of in metrics and a span; an urgent single has one for itself."""
    assert batch.credential is not None  # the breaker lets none pass without
    name, notification = batch.credential.provider, batch.occurrence.notification
    if batch.lane == Lane.URGENT and batch.attempts == 1:
        waited = clock.now() - max(batch.occurrence.due_at, notification.updated_at)
        metrics.URGENT_SECONDS.labels(name).observe(max(waited.total_seconds(), 0))
    in_flight = metrics.IN_FLIGHT.labels(name)
    in_flight.inc(len(left))
    try:
        with tracing.span(
            "deliver batch",
            parent=notification.trace_parent,
            app__id=batch.app_id,
            notification__id=notification.pk,
            occurrence__id=batch.occurrence_id,
            batch__id=batch.pk,
            batch__lane=batch.lane,
            batch__attempt=batch.attempts,
            batch__pushes=len(left),
            provider=name,
            provider__environment=batch.environment,
        ) as told:
            if len(left) == 1 and batch.lane == Lane.URGENT:
                answers = _ask_one(batch, left, provider, push, leave)
            else:
                answers = _ask(batch, left, provider, push, leave)
            told.note(**{f"answers__{verdict}": n for verdict, n in answers.said.items()})
            if not answers.said.get(Verdict.ACCEPTED.value) and answers.latest is not None:
                told.fail(short(answers.latest.reason))
    finally:
        in_flight.dec(len(left))
    return answers


def _ask_one(
    batch: Batch, left: Sequence[Addressee], provider: Provider, push: Push, leave: Leave
) -> Answers:
    """Ask for one device, in a span of its own that names the push as its provider does."""
    with tracing.span("push", kind="client", apns__id=push.push_id(left[0].token_id)) as told:
        answers = _ask(batch, left, provider, push, leave)
        if answers.latest is not None:
            _tell_of(told, answers.latest)
    return answers


def _tell_of(told: tracing.Span, outcome: Outcome) -> None:
    told.note(verdict=outcome.verdict.value, reason=short(outcome.reason))
    if outcome.provider_ref:
        told.note(provider__ref=outcome.provider_ref)
    if outcome.verdict is not Verdict.ACCEPTED:
        told.fail(short(outcome.reason))


def _ask(
    batch: Batch, left: Sequence[Addressee], provider: Provider, push: Push, leave: Leave
) -> Answers:
    """Push to everybody left and give the answers, all that are final recorded.

    Whoever has none in the end may have been pushed to: uncertain.
    """
    targets = [Target(a.token_id, a.address) for a in left]
    answers = Answers(batch, _asked(batch, left), leave)
    reason = "no outcome was given"
    deadline = settings.BATCH_DEADLINE.total_seconds()
    asking = runtime.stream(
        lambda: provider.deliver(push, targets), deadline, meanwhile=answers.wait
    )
    try:
        with closing(asking) as chunks:
            for chunk in chunks:
                answers.take(chunk)
    except runtime.DeadlineExceeded:
        reason = "no outcome in time"
    except Error:  # nothing can be recorded: the lease ends, and another worker follows
        raise
    except Exception as fault:
        log.exception("batch %d: its provider broke its promise", batch.pk)
        reason = _told(fault)
    answers.give_up(_ids(left), reason=reason)
    answers.settle()
    return answers


def _asked(batch: Batch, left: Sequence[Addressee]) -> Asked:
    guessed = [a for a in left if not a.environment_known]
    return Asked(
        installs={a.token_id: a.install_id for a in left},
        unknown={a.token_id for a in guessed if a.environment == batch.environment},
        elsewhere={a.token_id for a in guessed if a.environment != batch.environment},
    )


def _told(fault: Exception) -> str:
    # the type alone: its words may hold a token or a key
    return f"fault of the gateway: {type(fault).__name__}"


def push_of(batch: Batch) -> Push:
    """Give what every target of a batch is told; other words given meanwhile are for later runs."""
    occurrence = batch.occurrence
    message = read_message(occurrence.message or occurrence.notification.message)
    return Push(
        message=named(message, occurrence.notification_id),
        notification_id=occurrence.notification_id,
        occurrence_id=occurrence.pk,
        transport=Transport(batch.transport),
        environment=Environment(batch.environment),
        topic=batch.topic,
        expires_at=occurrence.expires_at,
    )


def opened(credential: ProviderCredential) -> Credentials:
    """Give what an adapter is built from, decrypted."""
    return Credentials(
        id=credential.pk,
        provider=credential.provider,
        kind=credential.kind,
        secret=credential.secret,
        facts={**credential.facts, "transport": settings.PROVIDER_TRANSPORT},
        environment=Environment(credential.environment or Environment.PRODUCTION),
        endpoint=credential.endpoint,
        ca_pem=credential.ca_pem,
        test=credential.mode == App.Mode.TEST,
    )


def _put_back(batch: Batch, left: Sequence[Addressee], parts: Sequence[Part]) -> None:
    """Have what is left wait for another try, or expire where that would come too late."""
    now, expires = clock.now(), batch.occurrence.expires_at
    late = [p for p in parts if p.breaker is None and now + p.wait >= expires]
    for part in late:
        ids = set(part.token_ids)
        those = [a for a in left if a.token_id in ids]
        _end(batch, those, Delivery.Verdict.EXPIRED, reason=part.reason, resent=part.resent)
    if still := [part for part in parts if part not in late]:
        divide_batch(batch, still)
    else:
        claims.close_batch(batch)


def _ids(addressees: Sequence[Addressee]) -> list[int]:
    return [a.token_id for a in addressees]


def _expire(batch: Batch, left: Sequence[Addressee], *, reason: str) -> None:
    _end(batch, left, Delivery.Verdict.EXPIRED, reason=reason)
    claims.close_batch(batch)


def _end(
    batch: Batch,
    left: Sequence[Addressee],
    verdict: Delivery.Verdict,
    *,
    reason: str,
    resent: bool = False,
) -> None:
    """Record that no more is done; what may have arrived before is uncertain, whatever stops it."""
    if batch.resent or resent:
        verdict = Delivery.Verdict.UNCERTAIN
    endings = [Ending(a.token_id, verdict.value, reason) for a in left]
    installs = {a.token_id: a.install_id for a in left}
    outcomes.record_endings(batch.occurrence, endings, installs=installs)
