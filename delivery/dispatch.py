"""Batch → provider → outcomes."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from crm.models import DeviceToken
from delivery import breaker, outcomes
from delivery.answers import Answers
from delivery.backoff import backoff
from delivery.message import read_message
from delivery.models import Batch, Delivery, ProviderCredential
from delivery.outcomes import Ending
from delivery.providers import runtime
from delivery.providers.contract import Credentials, Environment, Push, Target, Transport
from delivery.providers.registry import registry
from delivery.scheduling import claims


class Addressee(NamedTuple):
    """A token of a batch as it is now, which may differ from when it was planned."""

    token_id: int
    address: str
    install_id: int | None
    state: str


def deliver_next(lane: str) -> bool:
    """Push the lane's next due batch; False where none is waiting."""
    batch = claims.take_batch(lane, now=timezone.now())
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
    elif timezone.now() >= batch.occurrence.expires_at:
        _expire(batch, left, reason=batch.last_reason)
    elif (rest := breaker.why_not(batch, now=timezone.now())) is not None:
        _come_back(batch, left, wait=rest.wait, reason=rest.reason)
    else:
        _send(batch, left)


def remainder(batch: Batch) -> Sequence[Addressee]:
    """Give the tokens of a batch the ledger has no outcome for yet, in key order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id, coalesce(t.value, ''), t.install_id, coalesce(t.state, 'dead')
              FROM unnest(%s::int[]) AS wanted (id)
              LEFT JOIN crm_devicetoken t ON t.id = wanted.id
             WHERE NOT EXISTS (
                SELECT 1 FROM delivery_delivery d
                 WHERE d.day = %s AND d.occurrence_id = %s AND d.token_id = wanted.id)
             ORDER BY wanted.id
            """,
            [batch.token_ids, batch.occurrence.ledger_day, batch.occurrence_id],
        )
        return [Addressee(*row) for row in cursor.fetchall()]


def _send(batch: Batch, left: Sequence[Addressee]) -> None:
    gone = [a for a in left if a.state == DeviceToken.State.DEAD]
    _end(batch, gone, Delivery.Verdict.UNREGISTERED, reason="retired since it was planned")
    targets = [Target(a.token_id, a.address) for a in left if a.state != DeviceToken.State.DEAD]
    answers = Answers(batch, installs={a.token_id: a.install_id for a in left})
    assert batch.credential is not None  # the breaker lets none pass without
    provider = registry.adapter_for(opened(batch.credential))
    push = push_of(batch)
    try:
        for chunk in runtime.stream(
            lambda: provider.deliver(push, targets), settings.BATCH_DEADLINE.total_seconds()
        ):
            answers.take(chunk)
    except runtime.DeadlineExceeded:
        answers.give_up([t.token_id for t in targets], reason="no outcome in time")
    answers.settle()
    if answers.again:
        waiting = {o.token_id for o in answers.again}
        wait = backoff(batch.attempts, at_least=answers.retry_after)
        unanswered = [a for a in left if a.token_id in waiting]
        _come_back(batch, unanswered, wait=wait, reason=answers.again[0].reason)
    else:
        claims.close_batch(batch)


def push_of(batch: Batch) -> Push:
    """Give what every target of a batch is told."""
    occurrence = batch.occurrence
    return Push(
        message=read_message(occurrence.notification.message),
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


def _come_back(batch: Batch, left: Sequence[Addressee], *, wait: timedelta, reason: str) -> None:
    """Wait for another try, or let the rest expire where that would come too late."""
    if timezone.now() + wait >= batch.occurrence.expires_at:
        _expire(batch, left, reason=reason)
    else:
        claims.release_batch(batch, wait=wait, reason=reason)


def _expire(batch: Batch, left: Sequence[Addressee], *, reason: str) -> None:
    _end(batch, left, Delivery.Verdict.EXPIRED, reason=reason)
    claims.close_batch(batch)


def _end(
    batch: Batch, left: Sequence[Addressee], verdict: Delivery.Verdict, *, reason: str
) -> None:
    endings = [Ending(a.token_id, verdict.value, reason) for a in left]
    installs = {a.token_id: a.install_id for a in left}
    outcomes.record_endings(batch.occurrence, endings, installs=installs)
