"""When a credential must rest, and when a provider's word on dead tokens is not believed.

One wrong key, topic or host makes a provider call every token of an app dead. So a death that may
be our own mistake counts only while the credential also gets pushes accepted.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from delivery.models import Batch, ProviderCredential
from delivery.providers.contract import Outcome, Verdict
from delivery.targeting.credentials import find_credential

REST = timedelta(seconds=60)
MANY = 10
"""Doubtful deaths in a row, without one push accepted, that point at us, not at the tokens."""


class Rest(NamedTuple):
    """Why a batch cannot be sent now, and for how long."""

    reason: str
    wait: timedelta


def why_not(batch: Batch, *, now: datetime) -> Rest | None:
    """Say why a batch cannot be sent now; None where it can, with its credential set."""
    if batch.credential is None:
        batch.credential = find_credential(batch)
    if batch.credential is None:
        return Rest(f"no {batch.transport} credential for topic {batch.topic!r}", REST)
    until = batch.credential.suspended_until
    if until is not None and until > now:
        return Rest(batch.credential.suspended_reason, until - now)
    return None


def rest(credential: ProviderCredential, *, reason: str) -> None:
    """Stop sending with a credential for a while and keep the reason for the operator."""
    ProviderCredential.objects.filter(pk=credential.pk).update(
        suspended_until=timezone.now() + REST, suspended_reason=reason
    )


def judge(
    credential: ProviderCredential, doubtful: Sequence[Outcome], *, accepted: int
) -> Sequence[Outcome]:
    """Decide what doubtful deaths in one batch were.

    Believed: the tokens are dead. Many among few acceptances: the pushes failed, the tokens are
    kept. Many in a row without any: the credential is at fault, the pushes are asked again later.
    """
    row = _count_in_row(credential, len(doubtful), accepted=accepted)
    if not accepted and row >= MANY:
        return [o._replace(verdict=Verdict.MISCONFIGURED) for o in doubtful]
    if len(doubtful) >= MANY and len(doubtful) > accepted:
        return [o._replace(verdict=Verdict.REJECTED) for o in doubtful]
    return [o._replace(proven=True) for o in doubtful]


def _count_in_row(credential: ProviderCredential, deaths: int, *, accepted: int) -> int:
    """Count doubtful deaths since the last accepted push, over all batches and workers."""
    row = ProviderCredential.objects.filter(pk=credential.pk)
    if accepted:
        if deaths or credential.doubtful_in_row:
            row.exclude(doubtful_in_row=0).update(doubtful_in_row=0)
        return 0
    if deaths:
        row.update(doubtful_in_row=F("doubtful_in_row") + deaths)
    counted = row.values_list("doubtful_in_row", flat=True).first()
    # deleted while its pushes were under way, it is as doubtful as we knew it
    return credential.doubtful_in_row + deaths if counted is None else counted
