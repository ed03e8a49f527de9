"""Devices as a person's session names them; ConnectyCube calls their addresses subscriptions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm import clock
from crm.commands.device_tokens import (
    REGISTERED_ELSEWHERE,
    Address,
    give_away,
    lock_known,
    retire,
)
from crm.commands.installs import recognise_user
from crm.errors import NotFound
from crm.models import DeviceToken, Install, User

OS_NAMES = {"ios": "iOS", "android": "Android"}
SDK_NAMES = {"web": "Web"}
"""By platform, in the words segments know (contracts/kumulos §2.1)."""


@dataclass(frozen=True, slots=True)
class UserDevice:
    """One person's app on one device; `platform` is ios, android or web."""

    user: User
    udid: str
    platform: str


@transaction.atomic
def subscribe_device(
    device: UserDevice, addresses: Sequence[Address], *, details: Mapping[str, Any] | None = None
) -> list[DeviceToken]:
    """Give one living row for each address, in their order.

    A device keeps the row it has for a transport, environment and topic: a repeated call changes
    its value, or brings it back from the dead, and gives the same id. Whoever else had an address
    has it no longer, whatever its topic. Other addresses of the device stay as they are.
    """
    install = _recognise_device(device)
    values = [address.value for address in addresses]
    known = lock_known(install, values=values, own=Q())
    return [_subscribe(install, address, known, details or {}) for address in addresses]


def subscriptions_of(user: User) -> QuerySet[DeviceToken]:
    """Give the tokens, not dead, of all installs whose current user this is; oldest first."""
    tokens = DeviceToken.objects.filter(install__user=user).exclude(state=DeviceToken.State.DEAD)
    return tokens.select_related("install").order_by("pk")


@transaction.atomic
def unsubscribe_device(user: User, token_id: int) -> None:
    """Retire one of the user's subscriptions; raises `NotFound` where it is none of theirs."""
    mine = subscriptions_of(user).select_for_update(of=("self",), no_key=True)
    # locked before it is judged: it may be moving to somebody else
    token = mine.filter(pk=token_id).first()
    if token is None:
        raise NotFound("No such subscription.")
    retire(DeviceToken.objects.filter(pk=token.pk), "unsubscribed by the user", clock.now())


@transaction.atomic
def drop_user_devices(user: User) -> None:
    """Sign a user out everywhere, for good: no row points to them from a device any more.

    The addresses their sessions registered are retired; an app that registered its own keeps it,
    as when somebody signs out. Every install becomes its anonymous user's. None is deleted: the
    ledger names installs and tokens, and callers know them.
    """
    installs = Install.objects.select_for_update(of=("self",), no_key=True).filter(user=user)
    found = list(installs.select_related("app").order_by("pk"))
    _retire_all(install for install in found if install.uid.startswith(_prefix(user)))
    for install in found:
        install.user = recognise_user(app=install.app, uid=install.uid, anonymous=True)
        install.save(update_fields=["user"])


def _retire_all(installs: Iterable[Install]) -> None:
    tokens = DeviceToken.objects.filter(install__in=installs).order_by("pk")
    locked = tokens.select_for_update(no_key=True).values_list("pk", flat=True)
    retire(DeviceToken.objects.filter(pk__in=list(locked)), "the user was deleted", clock.now())


def _recognise_device(device: UserDevice) -> Install:
    """Give the install of this device and user, locked and up to date; created on first sight.

    Its uid is made up of both: apps send udids that many devices share, such as an Android build
    number (contracts/connectycube §6).
    """
    user = device.user
    uid = _prefix(user) + sha256(device.udid.encode()).hexdigest()[:32]
    found = Install.objects.select_for_update(of=("self",), no_key=True)
    install = found.filter(app_id=user.app_id, uid=uid).first()
    if install is None:
        try:
            with transaction.atomic():
                install = Install.objects.create(app_id=user.app_id, uid=uid, user=user)
        except IntegrityError:  # the same device, a moment ago, on another connection
            install = found.get(app_id=user.app_id, uid=uid)
    install.user = user
    install.os = OS_NAMES.get(device.platform, "")
    install.sdk_type = SDK_NAMES.get(device.platform, "")
    install.details = {"udid": device.udid, "platform": device.platform}
    install.last_active_at = timezone.now()
    install.save(update_fields=["user", "os", "sdk_type", "details", "last_active_at"])
    return install


def _prefix(user: User) -> str:
    return f"cube-{user.pk}-"


def _subscribe(
    install: Install, address: Address, known: list[DeviceToken], details: Mapping[str, Any]
) -> DeviceToken:
    """Write the one row for an address; `known` is all that may be in its way, and learns of it."""
    now = timezone.now()
    own = [t for t in known if t.install_id == install.pk and _fits(t, address)]
    holder = next((t for t in known if t.value == address.value and _fits(t, address)), None)
    token = min(own, key=_liveliest) if own else holder or _new(install, address)
    others = [t for t in known if t is not token and t.install_id != install.pk]
    robbed = [t for t in others if _same_phone(t, address)]
    if holder is not None and holder is not token:
        give_away(holder)
        robbed.append(holder)
    retire(DeviceToken.objects.filter(pk__in=[t.pk for t in robbed]), REGISTERED_ELSEWHERE, now)
    token.install, token.value, token.details = install, address.value, dict(details)
    token.environment_known = address.environment_known
    token.enabled, token.state, token.state_reason = True, DeviceToken.State.ALIVE, ""
    token.state_changed_at = token.registered_at = now
    token.save()
    known.extend([token] if token not in known else [])
    return token


def _fits(token: DeviceToken, address: Address) -> bool:
    return (token.transport, token.environment, token.topic) == (
        address.transport,
        address.environment,
        address.topic,
    )


def _same_phone(token: DeviceToken, address: Address) -> bool:
    return (token.transport, token.environment, token.value) == (
        address.transport,
        address.environment,
        address.value,
    )


def _liveliest(token: DeviceToken) -> tuple[bool, int]:
    return token.state == DeviceToken.State.DEAD, token.pk


def _new(install: Install, address: Address) -> DeviceToken:
    return DeviceToken(
        app_id=install.app_id,
        transport=address.transport,
        environment=address.environment,
        topic=address.topic,
    )
