"""Batch → provider → outcomes."""

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error, connection

from crm import clock
from crm.models import DeviceToken
from delivery import breaker, outcomes
from delivery.answers import Answers
from delivery.arrays import numbers
from delivery.backoff import backoff
from delivery.message import named, read_message
from delivery.models import Batch, Delivery, ProviderCredential
from delivery.outcomes import Ending
from delivery.providers import runtime
from delivery.providers.contract import (
    Credentials,
    Environment,
    Provider,
    Push,
    Target,
    Transport,
)
from delivery.providers.registry import registry
from delivery.scheduling import claims

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


def deliver_next(lane: str) -> bool:
    """Push the lane's next due batch; False where none is waiting."""
    batch = claims.take_batch(lane, now=clock.now())
    if batch is None:
        return False
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
        claims.release_batch(batch, wait=HELD_FOR, reason=HELD)
    elif batch.lost >= MOST_LOST:
        _end(batch, left, Delivery.Verdict.UNCERTAIN, reason="every worker that tried vanished")
        claims.close_batch(batch)
    elif (rest := breaker.why_not(batch, now=clock.now())) is not None:
        _come_back(batch, left, wait=rest.wait, reason=rest.reason)
    else:
        _send(batch, left)


# Both tables are asked for a batch's own keys and nothing else. Joined without that, the planner
# hashes all the occurrence has in the ledger, for every batch again.
REMAINDER = """
WITH settled AS MATERIALIZED (
    SELECT token_id FROM delivery_delivery
     WHERE day = %(day)s AND occurrence_id = %(occurrence)s AND token_id = ANY(%(ids)s::int[])
       AND %(begun)s
), known AS MATERIALIZED (
    SELECT id, value, install_id, state FROM crm_devicetoken WHERE id = ANY(%(ids)s::int[])
)
SELECT wanted.id, coalesce(known.value, ''), known.install_id, coalesce(known.state, 'dead')
  FROM unnest(%(ids)s::int[]) AS wanted (id) LEFT JOIN known ON known.id = wanted.id
 WHERE wanted.id NOT IN (SELECT token_id FROM settled)
 ORDER BY wanted.id
"""


def remainder(batch: Batch) -> Sequence[Addressee]:
    """Give the tokens of a batch the ledger has no outcome for yet, in key order."""
    known: dict[str, Any] = {
        "day": batch.occurrence.ledger_day,
        "occurrence": batch.occurrence_id,
        "ids": numbers(batch.token_ids),
        "begun": batch.attempts > 1,  # of a batch taken up for the first time it has none
    }
    with connection.cursor() as cursor:
        cursor.execute(REMAINDER, known)
        return [Addressee(*row) for row in cursor.fetchall()]


def _send(batch: Batch, left: Sequence[Addressee]) -> None:
    gone = [a for a in left if a.state == DeviceToken.State.DEAD]
    _end(batch, gone, Delivery.Verdict.UNREGISTERED, reason="retired since it was planned")
    left = [a for a in left if a.state != DeviceToken.State.DEAD]
    assert batch.credential is not None  # the breaker lets none pass without
    try:
        provider, push = registry.adapter_for(opened(batch.credential)), push_of(batch)
    except Exception as fault:  # a secret sealed with a lost key, a message of a later version
        log.exception("batch %d cannot be sent as it is", batch.pk)
        wait = backoff(batch.tries + 1)
        _come_back(batch, left, wait=wait, reason=_told(fault), tried=True)
        return
    answers = _ask(batch, left, provider, push)
    if answers.again:
        waiting = {o.token_id for o in answers.again}
        wait = backoff(batch.tries + 1, at_least=answers.retry_after)
        unanswered = [a for a in left if a.token_id in waiting]
        _come_back(batch, unanswered, wait=wait, reason=answers.again[0].reason, tried=True)
    else:
        claims.close_batch(batch)


def _ask(batch: Batch, left: Sequence[Addressee], provider: Provider, push: Push) -> Answers:
    """Push to everybody left and give the answers, all that are final recorded.

    Whoever has none in the end may have been pushed to: uncertain, and never asked again.
    """
    targets = [Target(a.token_id, a.address) for a in left]
    answers = Answers(batch, installs={a.token_id: a.install_id for a in left})
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
    answers.give_up([t.token_id for t in targets], reason=reason)
    answers.settle()
    return answers


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
    )


def _come_back(
    batch: Batch,
    left: Sequence[Addressee],
    *,
    wait: timedelta,
    reason: str,
    tried: bool = False,
) -> None:
    """Wait for another try, or let the rest expire where that would come too late."""
    if clock.now() + wait >= batch.occurrence.expires_at:
        _expire(batch, left, reason=reason)
    else:
        claims.release_batch(batch, wait=wait, reason=reason, tried=tried)


def _expire(batch: Batch, left: Sequence[Addressee], *, reason: str) -> None:
    _end(batch, left, Delivery.Verdict.EXPIRED, reason=reason)
    claims.close_batch(batch)


def _end(
    batch: Batch, left: Sequence[Addressee], verdict: Delivery.Verdict, *, reason: str
) -> None:
    endings = [Ending(a.token_id, verdict.value, reason) for a in left]
    installs = {a.token_id: a.install_id for a in left}
    outcomes.record_endings(batch.occurrence, endings, installs=installs)
