"""What pushes have shown of addresses: which are dead or in doubt, and of which environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from crm import clock
from crm.commands.device_tokens import (
    REGISTERED_ELSEWHERE,
    give_away,
    hold_values,
    retire,
    valued,
)
from crm.commands.sweeping import forget
from crm.models import DeviceToken

RETIRE = """
WITH dead AS (
    SELECT t.id, said.reason, said.state
      FROM crm_devicetoken t
      JOIN unnest(%s::int[], %s::text[], %s::timestamptz[], %s::text[])
        AS said (id, reason, died_at, state) ON said.id = t.id
     WHERE t.state NOT IN ('dead', said.state)
       AND (said.died_at IS NULL OR t.registered_at <= said.died_at)
     ORDER BY t.id
       FOR NO KEY UPDATE OF t
)
UPDATE crm_devicetoken t
   SET state = dead.state, state_reason = dead.reason, state_changed_at = %s
  FROM dead WHERE t.id = dead.id
RETURNING t.id, t.state
"""

REVIVE = """
WITH doubted AS (
    SELECT id FROM crm_devicetoken
     WHERE id = ANY(%s::int[]) AND state = 'quarantined'
     ORDER BY id
       FOR NO KEY UPDATE
)
UPDATE crm_devicetoken t
   SET state = 'alive', state_reason = '', state_changed_at = %s
  FROM doubted WHERE t.id = doubted.id
"""

# Whoever registers one of them just now holds it, and keeps it. Found first, and once: asked inside
# the deletion, what is locked is looked for again for each row, and no limit holds.
FORGET = """
WITH past AS MATERIALIZED (
    SELECT id FROM crm_devicetoken
     WHERE state <> 'alive' AND state_changed_at < %s
     ORDER BY state_changed_at
     LIMIT %s
       FOR UPDATE SKIP LOCKED
)
DELETE FROM crm_devicetoken t USING past WHERE t.id = past.id
"""

FORGOTTEN_AT_ONCE, FORGOTTEN_IN_ALL = 1_000, 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """A provider's word that an address is dead, and since when, where it says so.

    Where it is not `proven`, the address is put in quarantine.
    """

    token_id: int
    reason: str
    died_at: datetime | None
    proven: bool = True


def retire_tokens(deaths: Sequence[Death]) -> dict[int, str]:
    """Retire tokens a provider called dead, unless a device registered them after that.

    Gives the state of those it changed, by id. Registering again brings a token back. Rows are
    locked in key order: two broadcasts meet the same dead phones, each in its own order.
    """
    if not deaths:
        return {}
    dead, doubted = DeviceToken.State.DEAD.value, DeviceToken.State.QUARANTINED.value
    said = ((d.token_id, d.reason, d.died_at, dead if d.proven else doubted) for d in deaths)
    columns = map(list, zip(*said, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(RETIRE, [*columns, clock.now()])
        return dict(cursor.fetchall())


def revive_tokens(token_ids: Sequence[int]) -> int:
    """Let tokens out of quarantine, those that are in it, and give how many."""
    if not token_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(REVIVE, [list(token_ids), clock.now()])
        return int(cursor.rowcount)


@transaction.atomic
def learn_environment(token_ids: Sequence[int], *, app_id: int, environment: str) -> None:
    """Keep which environment tokens turned out to be of, those it was not known of.

    Another row may stand for the same address there. One that is alive has had the push, too, so
    the token is one too many and dies; any other makes room.
    """
    unknown = DeviceToken.objects.filter(pk__in=token_ids, app_id=app_id, environment_known=False)
    values = list(unknown.values_list("value", flat=True))
    hold_values(app_id, values)
    same = DeviceToken.objects.filter(valued(values), app_id=app_id)
    rows = list(same.order_by("pk").select_for_update(no_key=True))
    there = {_place(row): row for row in rows if row.environment == environment}
    for row in rows:
        if row.pk in token_ids and not row.environment_known:
            _move(row, environment=environment, twin=there.get(_place(row)))


def _place(token: DeviceToken) -> tuple[str, str, str]:
    return token.transport, token.topic, token.value


def _move(token: DeviceToken, *, environment: str, twin: DeviceToken | None) -> None:
    if twin is not None and twin.pk != token.pk:
        if twin.state == DeviceToken.State.ALIVE:
            retire(DeviceToken.objects.filter(pk=token.pk), REGISTERED_ELSEWHERE, clock.now())
            return
        give_away(twin)
    token.environment, token.environment_known = environment, True
    token.save(update_fields=["environment", "environment_known"])


def forget_retired_tokens(*, now: datetime) -> int:
    """Delete tokens that have been dead or in quarantine for longer than `TOKEN_RETENTION`.

    Gives how many: a bounded number at a time, for the next upkeep goes on. What the ledger says of
    them stays.
    """
    before = now - settings.TOKEN_RETENTION
    return forget(FORGET, before, at_once=FORGOTTEN_AT_ONCE, in_all=FORGOTTEN_IN_ALL)
