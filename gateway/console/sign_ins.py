"""Who signed in and out, and who could not, in the audit log."""

from typing import Any

from allauth.mfa.signals import authentication_failed
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from crm.models import AuditEntry
from delivery.context import request_id
from gateway.console.address import client_address

Action = AuditEntry.Action


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Write down that somebody is in, with every factor asked for."""
    _write(request, user, Action.SIGNED_IN)


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: AbstractBaseUser | None, **_: Any) -> None:
    """Write down that somebody has left, or was made to."""
    if user is not None:
        _write(request, user, Action.SIGNED_OUT)


@receiver(user_login_failed)
def password_refused(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """Write down a wrong password for an operator; a name nobody has may be a mistyped password."""
    users = get_user_model().objects.filter(username=credentials.get("username"))
    if request is not None and (user := users.first()) is not None:
        _write(request, user, Action.REFUSED, factor="password")


@receiver(authentication_failed)
def code_refused(request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    """Write down a wrong code, after a right password."""
    _write(request, user, Action.REFUSED, factor="second factor")


def _write(request: HttpRequest, user: AbstractBaseUser, action: Action, **facts: str) -> None:
    AuditEntry.objects.create(
        via=AuditEntry.Via.ADMIN,
        operator_id=user.pk,
        actor=user.get_username(),
        action=action,
        kind="auth.user",
        object_id=str(user.pk),
        object_name=user.get_username(),
        changes={name: [None, value] for name, value in facts.items()},
        request_id=request_id.get(),
        address=client_address(request),
    )
