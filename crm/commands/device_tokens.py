"""Addresses: who owns them, and whether they are alive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import MD5
from django.utils import timezone

from crm import clock
from crm.models import DeviceToken, Install

RETIRE = """
WITH dead AS (
    SELECT t.id, said.reason
      FROM crm_devicetoken t
      JOIN unnest(%s::int[], %s::text[], %s::timestamptz[]) AS said (id, reason, died_at)
        ON said.id = t.id
     WHERE t.state <> 'dead' AND (said.died_at IS NULL OR t.registered_at <= said.died_at)
     ORDER BY t.id
       FOR NO KEY UPDATE OF t
)
UPDATE crm_devicetoken t
   SET state = %s, state_reason = dead.reason, state_changed_at = %s
  FROM dead WHERE t.id = dead.id
"""

# in one order, too; two callers with the same new address wait for each other
HOLD = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(value, %s) AS key FROM unnest(%s::text[]) value ORDER BY key
) keys
"""

REGISTERED_ELSEWHERE = "registered elsewhere"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Everything a push needs to find one app on one device."""

    transport: str
    environment: str
    topic: str
    value: str


def register_token(
    install: Install, *, address: Address, enabled: bool = True, details: Mapping[str, Any]
) -> DeviceToken:
    """Make this the install's one current address, alive from now on.

    Seen on another install before, it moves here: a re-installed app gets a new install id and
    keeps its token, and two owners would mean two copies of each push (contracts/kumulos §2.1).
    """
    now = clock.now()
    living = ~Q(state=DeviceToken.State.DEAD)
    known = lock_known(install, values=[address.value], own=living)
    [token] = DeviceToken.objects.bulk_create(
        [
            DeviceToken(
                app_id=install.app_id,
                install=install,
                transport=address.transport,
                environment=address.environment,
                topic=address.topic,
                value=address.value,
                details=dict(details),
                enabled=enabled,
                state_changed_at=now,
                registered_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["app", "value_digest", "transport", "environment", "topic"],
        update_fields=[
            "install",
            "details",
            "enabled",
            "state",
            "state_reason",
            "state_changed_at",
            "registered_at",
        ],
    )
    others = [other for other in known if other.pk != token.pk]
    elsewhere = [o.pk for o in others if (o.transport, o.value) == (token.transport, token.value)]
    own = [o.pk for o in others if o.install_id == install.pk]
    if elsewhere:
        retire(DeviceToken.objects.filter(pk__in=elsewhere), REGISTERED_ELSEWHERE, now)
    if own:
        retire(DeviceToken.objects.filter(pk__in=own), "replaced by the device", now)
    return token


def lock_known(install: Install, *, values: Sequence[str], own: Q) -> list[DeviceToken]:
    """Give what is known of these values, and what of the install's own fits, locked in key order.

    Providers' verdicts lock many tokens, devices swap theirs: all in the same order, or they block
    each other. The values are held first: what nobody has registered yet is no row to lock.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [install.app_id, list(values)])
    digests = [MD5(Value(value)) for value in values]
    same_value = Q(value_digest__in=digests, value__in=values)
    known = DeviceToken.objects.filter(Q(own, install=install) | same_value, app_id=install.app_id)
    return list(known.order_by("pk").select_for_update(no_key=True))


def drop_tokens(install: Install, *, reason: str) -> None:
    """Forget how to reach an install until it registers again."""
    retire(install.device_tokens.all(), reason, timezone.now())


@dataclass(frozen=True, kw_only=True, slots=True)
class Death:
    """A provider's word that an address is dead, and since when, where it says so."""

    token_id: int
    reason: str
    died_at: datetime | None


def retire_tokens(deaths: Sequence[Death]) -> int:
    """Retire tokens a provider called dead, unless a device registered them after that.

    Gives the number retired. Registering again brings a token back. Rows are locked in key order:
    two broadcasts meet the same dead phones, each in its own order.
    """
    if not deaths:
        return 0
    columns = zip(*((d.token_id, d.reason, d.died_at) for d in deaths), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(RETIRE, [*map(list, columns), DeviceToken.State.DEAD, timezone.now()])
        return int(cursor.rowcount)


def retire(tokens: QuerySet[DeviceToken], reason: str, now: datetime) -> int:
    """Call these tokens dead, those that are not, and give how many."""
    alive = tokens.exclude(state=DeviceToken.State.DEAD)
    return alive.update(state=DeviceToken.State.DEAD, state_reason=reason, state_changed_at=now)
