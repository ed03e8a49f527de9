"""Addresses: who owns them, and whether they are alive."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import MD5
from django.utils import timezone

from crm.models import DeviceToken, Install


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
    now = timezone.now()
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
            "user",
            "details",
            "enabled",
            "state",
            "state_reason",
            "state_changed_at",
            "registered_at",
        ],
    )
    others = DeviceToken.objects.exclude(pk=token.pk).filter(app_id=install.app_id)
    same_value = others.filter(value_digest=MD5(Value(address.value)), value=address.value)
    same_address = same_value.filter(transport=address.transport)
    _retire(same_address, "registered elsewhere", now)
    _retire(others.filter(install=install, user=None), "replaced by the device", now)
    return token


def drop_tokens(install: Install, *, reason: str) -> None:
    """Forget how to reach an install until it registers again."""
    _retire(install.device_tokens.all(), reason, timezone.now())


def retire_token(token_ids: Sequence[int], *, reason: str, died_at: datetime | None) -> int:
    """Retire tokens a provider called dead, unless a device registered them after `died_at`.

    Gives the number retired. Registering again brings a token back.
    """
    tokens = DeviceToken.objects.filter(pk__in=token_ids)
    if died_at is not None:
        tokens = tokens.filter(registered_at__lte=died_at)
    return _retire(tokens, reason, timezone.now())


def _retire(tokens: QuerySet[DeviceToken], reason: str, now: datetime) -> int:
    alive = tokens.exclude(state=DeviceToken.State.DEAD)
    return alive.update(state=DeviceToken.State.DEAD, state_reason=reason, state_changed_at=now)
