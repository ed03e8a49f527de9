"""When nothing is sent through a credential, in one environment and to one topic.

While a breaker is open nothing is sent; after a rest one worker probes with a few pushes, and one
answer that proves the credential to work closes it. Rows are changed under their lock; whoever puts
a batch off until a breaker closes takes it too, so that none is left behind.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from crm import clock
from crm.commands.token_health import revive_tokens
from delivery.models import Batch, Breaker, ProviderCredential
from delivery.providers.contract import Outcome
from delivery.statement import Columns, fetch_row
from delivery.targeting.credentials import find_credential

log = logging.getLogger(__name__)

State = Breaker.State

COLUMNS = Columns(Breaker)

REST, LONGEST_REST = timedelta(seconds=60), timedelta(minutes=30)
"""Before the first probe; doubled with each probe that fails, up to the longest."""

OUTAGE_REST = timedelta(seconds=5)
"""The first rest where a token endpoint is away: nothing is wrong, and it may soon be back."""

SAMPLE = 10
"""Pushes of a probe."""

GRACE = timedelta(seconds=20)
"""What a probe may take beside its batch's deadline, before its worker is taken for lost."""

MAKE = """
INSERT INTO delivery_breaker (credential_id, environment, topic)
SELECT id, %s, %s FROM delivery_providercredential WHERE id = %s
   FOR KEY SHARE
    ON CONFLICT DO NOTHING
"""


class Rest(NamedTuple):
    """Why a batch cannot be sent now, and for how long, or what must close before it can."""

    reason: str
    wait: timedelta = timedelta()
    breaker: Breaker | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave to send a batch, with the breaker as it was then; a probe sends `SAMPLE` of it."""

    breaker: Breaker | None = None
    probe: bool = False

    def most(self, pushes: int) -> int:
        """Give how many of so many pushes may go out."""
        return min(pushes, SAMPLE) if self.probe else pushes


def admit(batch: Batch, *, now: datetime) -> Leave | Rest:
    """Say whether a batch can be sent now, with its credential set, or why not.

    Of all that ask while a breaker is open, one is given the probe: ask when nothing else is in
    the way, and conclude it or hand it back.
    """
    if batch.credential is None:
        batch.credential = find_credential(batch)
    if batch.credential is None:
        return Rest(f"no {batch.transport} credential for topic {batch.topic!r}", REST)
    breaker = _known(batch)
    if breaker is None or breaker.state == State.CLOSED:
        return Leave(breaker)
    if _claim(breaker, now=now):
        return Leave(breaker, probe=True)
    return Rest(breaker.reason, breaker=breaker)


# as `breaker_of` has it
KNOWN = f"""
SELECT {COLUMNS.of("b")} FROM delivery_breaker b
 WHERE credential_id = %(credential)s AND environment = %(environment)s AND topic = %(topic)s
"""  # noqa: S608 - names of columns


def _known(batch: Batch) -> Breaker | None:
    used = {
        "credential": batch.credential_id,
        "environment": batch.environment,
        "topic": batch.topic,
    }
    row = fetch_row(KNOWN, used)
    return None if row is None else COLUMNS.take(list(row))


def _claim(breaker: Breaker, *, now: datetime) -> bool:
    """Take the probe where one is due; of several workers one gets it."""
    if breaker.next_probe_at is None or breaker.next_probe_at > now:
        return False
    until = now + settings.BATCH_DEADLINE + GRACE
    due = Breaker.objects.filter(pk=breaker.pk, next_probe_at=breaker.next_probe_at)
    breaker.next_probe_at = until
    if not due.update(state=State.PROBING, next_probe_at=until):
        return False
    restore_doubted(breaker)  # whoever opened it may have vanished before doing so
    return True


def hand_back(leave: Leave) -> None:
    """Leave a probe that was not made to the next worker."""
    if leave.probe and leave.breaker is not None:
        mine = Breaker.objects.filter(
            pk=leave.breaker.pk, state=State.PROBING, next_probe_at=leave.breaker.next_probe_at
        )
        mine.update(state=State.OPEN, next_probe_at=clock.now())


def breaker_of(batch: Batch) -> QuerySet[Breaker]:
    """Give the breaker a batch depends on, if one was made."""
    return Breaker.objects.filter(
        credential=batch.credential_id, environment=batch.environment, topic=batch.topic
    )


def lock_breaker(batch: Batch) -> Breaker:
    """Give the breaker a batch depends on, locked; an unsaved one where its credential is gone."""
    mine = breaker_of(batch).select_for_update(no_key=True)
    if (found := mine.first()) is not None:
        return found
    make_breaker(batch)
    return mine.first() or Breaker(environment=batch.environment, topic=batch.topic)


def make_breaker(batch: Batch) -> None:
    """Store a closed breaker where there is none yet."""
    assert batch.credential is not None  # it was admitted
    with connection.cursor() as cursor:
        cursor.execute(MAKE, [batch.environment, batch.topic, batch.credential.pk])


def open_breaker(batch: Batch, breaker: Breaker, *, fault: Outcome) -> bool:
    """Stop sending; False where another credential has been stored since the batch was begun.

    The caller holds the lock. The rest is `REST`, or what a project without access tokens is told;
    it doubles with each failed probe. The operator is told once, not at each probe. Tokens believed
    dead meanwhile are still to be restored.
    """
    now, opens = clock.now(), breaker.state == State.CLOSED
    if opens and not _still_stored(batch):
        return False
    breaker.failed_probes = 0 if opens else min(breaker.failed_probes + 1, 16)
    first = OUTAGE_REST if fault.outage else REST
    rest = min(first * (1 << breaker.failed_probes), LONGEST_REST)
    asked = timedelta(seconds=fault.retry_after or 0) if fault.outage else timedelta()
    breaker.state, breaker.reason = State.OPEN, fault.reason
    breaker.next_probe_at = now + max(rest, asked)
    breaker.opened_at = now if opens else breaker.opened_at
    if breaker.pk is not None:
        breaker.save()
    if opens:
        log.error("%s: %s opens: %s", batch.credential, breaker, fault.reason)
    else:
        log.info("%s: %s stays open: %s", batch.credential, breaker, fault.reason)
    return True


@transaction.atomic
def restore_doubted(breaker: Breaker) -> None:
    """Believe again in the tokens called dead before the breaker opened, as nothing proved it then.

    In a transaction of its own: whoever records outcomes locks tokens last.
    """
    opened = Breaker.objects.select_for_update(no_key=True).exclude(state=State.CLOSED)
    found = opened.filter(pk=breaker.pk).first()
    if found is not None and found.doubted:
        revived = revive_tokens(found.doubted)
        Breaker.objects.filter(pk=found.pk).update(doubted=[])
        log.warning("%s: %d tokens called dead before are alive again", breaker, revived)


def _still_stored(batch: Batch) -> bool:
    credential = batch.credential
    assert credential is not None  # it was admitted
    same = ProviderCredential.objects.filter(pk=credential.pk, version=credential.version)
    return same.exists()


def close_breakers(breakers: QuerySet[Breaker], *, forget: bool = False) -> int:
    """Let pushes flow again and wake what waited for it; gives how many breakers were not closed.

    With `forget` nothing is known any more of what the credential has done: it is another one now.
    """
    with transaction.atomic():
        found = list(breakers.order_by("pk").select_for_update(no_key=True))
        shut = [breaker for breaker in found if breaker.state != State.CLOSED]
        rows = Breaker.objects.filter(pk__in=[breaker.pk for breaker in found])
        rows.update(state=State.CLOSED, next_probe_at=None, failed_probes=0, doubted=[])
        if forget:
            rows.update(worked_at=None)
        doubtful = found if forget else shut
        revive_tokens([token_id for breaker in doubtful for token_id in breaker.doubted])
        held = Batch.objects.filter(breaker__in=shut, state=Batch.State.WAITING)
        held.update(next_attempt_at=clock.now())
    for breaker in shut:
        log.warning("%s closes", breaker)
    return len(shut)
