"""Installs and what their devices tell of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from crm.commands import device_tokens
from crm.models import App, Install, User


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackInstall:
    """What runs where; sent at every start. Each is a column of the install."""

    os: str = ""
    os_version: str = ""
    sdk_type: str = ""
    sdk_version: str = ""
    app_version: str = ""
    device_model: str = ""
    timezone: str = ""
    locale: str = ""
    country: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociateUser:
    """Someone signed in; attributes, when given, replace all they had."""

    user_uid: str
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ClearUser:
    """They signed out: the install is its anonymous user's again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterToken:
    """The device got an address from its provider.

    `environment_known` is false where it did not say which of the provider's worlds that is of.
    """

    transport: str
    environment: str
    topic: str
    value: str
    enabled: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)
    environment_known: bool = True


@dataclass(frozen=True, slots=True)
class DropToken:
    """The device asks not to be pushed to any more."""


@dataclass(frozen=True, slots=True)
class SetEnabled:
    """Notifications were allowed or forbidden in the device's settings; the token stays."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class SetInApp:
    """The user agreed to in-app messages, or no longer does."""

    consented: bool


@dataclass(frozen=True, slots=True)
class Locate:
    """Where the device was, in degrees."""

    latitude: float
    longitude: float


Change = (
    TrackInstall
    | AssociateUser
    | ClearUser
    | RegisterToken
    | DropToken
    | SetEnabled
    | SetInApp
    | Locate
)


def recognise_install(*, app: App, uid: str) -> Install:
    """Give the install a device names, locked; on first sight create it and its anonymous user.

    An unknown install is never an error on the device's side (contracts/kumulos §2.0).
    Call it in a transaction: the lock keeps one device's changes in order.
    """
    # no_key: rows that only point to an install, an open for one, need not wait for it
    named = Install.objects.select_for_update(of=("self",), no_key=True).filter(app=app, uid=uid)
    # one whose user changes while we wait for it is not found together with the user it had
    install = named.select_related("user").first() or named.first()
    if install is None:
        user = recognise_user(app=app, uid=uid, anonymous=True)
        # heard of as a user first, because SDKs list channels under their install; whoever has
        # signed up is somebody, whatever a device calls itself
        if not (user.anonymous or user.login or user.email):
            user.anonymous = True
            user.save(update_fields=["anonymous"])
        try:
            with transaction.atomic():
                return Install.objects.create(app=app, uid=uid, user=user)
        except IntegrityError:  # the same device, a moment ago, on another connection
            install = named.get()
    return install


def recognise_user(*, app: App, uid: str, anonymous: bool = False) -> User:
    """Give the user known under `uid`, created on first sight."""
    user, _ = User.objects.get_or_create(app=app, uid=uid, defaults={"anonymous": anonymous})
    return user


def change_install(install: Install, change: Change) -> None:
    """Apply what a device told of itself; the caller holds the install's lock."""
    match change:
        case TrackInstall():
            _track(install, change)
        case AssociateUser():
            _associate(install, change)
        case ClearUser():
            install.user = recognise_user(app=install.app, uid=install.uid, anonymous=True)
        case RegisterToken():
            device_tokens.register_token(
                install,
                address=device_tokens.Address(
                    transport=change.transport,
                    environment=change.environment,
                    topic=change.topic,
                    value=change.value,
                    environment_known=change.environment_known,
                ),
                enabled=change.enabled,
                details=change.details,
            )
        case DropToken():
            device_tokens.drop_tokens(install, reason="unsubscribed by the device")
        case SetEnabled():
            install.device_tokens.update(enabled=change.enabled)
        case SetInApp():
            User.objects.filter(pk=install.user_id).update(in_app_enabled=change.consented)
        case Locate():
            install.latitude, install.longitude = change.latitude, change.longitude


def _track(install: Install, said: TrackInstall) -> None:
    if said.timezone != install.timezone:
        install.timezone_since = timezone.now()
    for told in fields(said):
        setattr(install, told.name, getattr(said, told.name))


def _associate(install: Install, said: AssociateUser) -> None:
    # signed in under the install's own id is not signed in
    anonymous = said.user_uid == install.uid
    user = _held(install.app, said.user_uid, anonymous=anonymous)
    if said.attributes is not None:
        User.objects.filter(pk=user.pk).update(
            attributes=said.attributes, updated_at=timezone.now()
        )
    install.user = user


def _held(app: App, uid: str, *, anonymous: bool) -> User:
    """Give the user known under `uid`, who cannot be deleted before this transaction ends.

    The foreign key alone is looked at when it ends, and whoever deletes an account sees no install
    that is not committed yet.
    """
    while True:
        user = recognise_user(app=app, uid=uid, anonymous=anonymous)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM crm_user WHERE id = %s FOR KEY SHARE", [user.pk])
            if cursor.fetchone():
                return user
