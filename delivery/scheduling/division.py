"""What is left of a batch goes back to wait, whole or in parts, each for its own time and way."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from crm import clock
from delivery.models import Batch, Breaker, Occurrence, ProviderCredential
from delivery.providers.contract import Environment
from delivery.scheduling.claims import ours, retry_lane


@dataclass(frozen=True, slots=True)
class Part:
    """Tokens of a batch that are to be asked at one moment and in one way.

    They are due after `wait`; with a `breaker` once it closes, or so much after its next probe.
    `tried` says that the provider was asked: the part goes on as a retry, and what only waited
    backs off no longer and stays in its lane. `environment`,
    where it is another than the batch's, is where the tokens are sent next. `resent` ones may have
    had the push already.
    """

    token_ids: Sequence[int]
    _: KW_ONLY
    wait: timedelta = timedelta()
    reason: str = ""
    tried: bool = False
    breaker: Breaker | None = None
    environment: Environment | None = None
    credential: ProviderCredential | None = None
    resent: bool = False

    def fits(self, batch: Batch) -> bool:
        """Say whether the batch itself can stand for the part."""
        return self.environment is None and self.resent in {False, batch.resent}


@transaction.atomic
def divide_batch(batch: Batch, parts: Sequence[Part]) -> bool:
    """Put a batch back as its parts; False when it was not ours.

    The largest part it can stand for stays in its row, with all that is settled; the others get
    rows of their own. A token is in one batch at any moment.
    """
    breakers = _lock(parts)
    fitting = [part for part in parts if part.fits(batch)]
    stays = max(fitting, key=lambda part: len(part.token_ids), default=None)
    leaving = [part for part in parts if part is not stays]
    done: dict[str, Any] = {"state": Batch.State.DONE, "lease_until": None}
    changes = _waiting(batch, stays, breakers) if stays else done
    if leaving:
        left = {token_id for part in leaving for token_id in part.token_ids}
        changes["token_ids"] = [i for i in batch.token_ids if i not in left]
    if not ours(batch).update(**changes):
        return False
    Batch.objects.bulk_create([_offshoot(batch, part, breakers) for part in leaving])
    _count_resent(batch, parts)
    return True


def _lock(parts: Sequence[Part]) -> Mapping[int, Breaker]:
    """Give the breakers as they are; whoever closes one now waits, and wakes what waits for it."""
    ids = [part.breaker.pk for part in parts if part.breaker is not None]
    if not ids:
        return {}
    return (
        Breaker.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True).in_bulk()
    )


def _waiting(batch: Batch, part: Part, breakers: Mapping[int, Breaker]) -> dict[str, Any]:
    breaker = breakers.get(part.breaker.pk) if part.breaker is not None else None
    return {
        "state": Batch.State.WAITING,
        "next_attempt_at": min(_due(part, breaker), batch.occurrence.expires_at),
        "lease_until": None,
        "last_reason": part.reason,
        "tries": batch.tries + part.tried,
        "lane": retry_lane(batch, wait=part.wait) if part.tried else batch.lane,
        "breaker": breaker,
    }


def _due(part: Part, breaker: Breaker | None) -> datetime:
    now = clock.now()
    if breaker is None or breaker.next_probe_at is None:
        return now + (timedelta() if part.breaker is not None else part.wait)
    return max(breaker.next_probe_at, now) + part.wait


def _offshoot(batch: Batch, part: Part, breakers: Mapping[int, Breaker]) -> Batch:
    """Give a batch like this one for some of its tokens."""
    other = copy(batch)
    other.pk, other.created_at = None, clock.now()
    other.token_ids = list(part.token_ids)
    other.resent = batch.resent or part.resent
    if part.environment is not None:
        other.environment, other.credential = part.environment.value, part.credential
    for name, value in _waiting(batch, part, breakers).items():
        setattr(other, name, value)
    return other


def _count_resent(batch: Batch, parts: Sequence[Part]) -> None:
    resent = sum(len(part.token_ids) for part in parts if part.resent)
    if resent:
        sent_again = F("replayed") + resent
        Occurrence.objects.filter(pk=batch.occurrence_id).update(replayed=sent_again)
