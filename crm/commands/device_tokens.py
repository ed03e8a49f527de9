"""Addresses: who owns them. What pushes show of them is in `token_health`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import uuid4

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import MD5

from crm import clock
from crm.models import DeviceToken, Install

# in one order, too; two callers with the same new address wait for each other
HOLD = """
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(value, %s) AS key FROM unnest(%s::text[]) value ORDER BY key
) keys
"""

REGISTERED_ELSEWHERE = "registered elsewhere"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Everything a push needs to find one app on one device.

    `environment` is a guess where it is not known.
    """

    transport: str
    environment: str
    topic: str
    value: str
    environment_known: bool = True


def register_token(
    install: Install, *, address: Address, enabled: bool = True, details: Mapping[str, Any]
) -> DeviceToken:
    """Make this the install's one current address, alive from now on.

    Seen on another install before, it moves here: a re-installed app gets a new install id and
    keeps its token, and two owners would mean two copies of each push (contracts/kumulos §2.1).
    Where the device does not say its environment, it is what pushes to the address have shown.
    """
    now = clock.now()
    living = ~Q(state=DeviceToken.State.DEAD)
    known = lock_known(install, values=[address.value], own=living)
    address = _as_learned(address, known)
    # without its id an address known already would use up a new one: apps register at every start,
    # and ids are 32 bits wide
    kept = next((token.pk for token in known if _leads_to(token, address)), None)
    [token] = DeviceToken.objects.bulk_create(
        [
            DeviceToken(
                id=kept,
                app_id=install.app_id,
                install=install,
                transport=address.transport,
                environment=address.environment,
                environment_known=address.environment_known,
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
            "environment_known",
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


def _as_learned(address: Address, known: Sequence[DeviceToken]) -> Address:
    """Give an address with the environment it is known to be of, where the device did not say."""
    if address.environment_known:
        return address
    same = (address.transport, address.topic, address.value)
    told = [t for t in known if t.environment_known and (t.transport, t.topic, t.value) == same]
    if not told:
        return address
    latest = max(told, key=attrgetter("registered_at"))
    return replace(address, environment=latest.environment, environment_known=True)


def _leads_to(token: DeviceToken, address: Address) -> bool:
    parts = attrgetter("transport", "environment", "topic", "value")
    return parts(token) == parts(address)


def lock_known(install: Install, *, values: Sequence[str], own: Q) -> list[DeviceToken]:
    """Give what is known of these values, and what of the install's own fits, locked in key order.

    Providers' verdicts lock many tokens, devices swap theirs: all in the same order, or they block
    each other. The values are held first: what nobody has registered yet is no row to lock.
    """
    hold_values(install.app_id, values)
    mine = Q(own, install=install)
    known = DeviceToken.objects.filter(mine | valued(values), app_id=install.app_id)
    return list(known.order_by("pk").select_for_update(no_key=True))


def hold_values(app_id: int, values: Sequence[str]) -> None:
    """Wait for whoever writes rows with one of these values, and have others wait."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [app_id, list(values)])


def valued(values: Sequence[str]) -> Q:
    """Give the condition for rows with one of these values, as the index has them."""
    return Q(value_digest__in=[MD5(Value(value)) for value in values], value__in=values)


def drop_tokens(install: Install, *, reason: str) -> None:
    """Forget how to reach an install until it registers again."""
    retire(install.device_tokens.all(), reason, clock.now())


def give_away(holder: DeviceToken) -> None:
    """Take a value from the row that has it, for another row is to have it.

    Both stay: callers know the one's id, the ledger may name the other. It gets a value no phone
    has rather than the other row's former one: somebody may be registering that just now.
    """
    holder.value, holder.state = f"given away, {uuid4()}", DeviceToken.State.DEAD
    DeviceToken.objects.filter(pk=holder.pk).update(value=holder.value)


def retire(tokens: QuerySet[DeviceToken], reason: str, now: datetime) -> int:
    """Call these tokens dead, those that are not, and give how many."""
    alive = tokens.exclude(state=DeviceToken.State.DEAD)
    return alive.update(state=DeviceToken.State.DEAD, state_reason=reason, state_changed_at=now)
