"""Which apps an operator may see and change: asked once for each request, by every page."""

from collections.abc import Collection, Mapping

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from crm.models import App, Membership
from crm.models.membership import Role

Operator = AbstractBaseUser | AnonymousUser


def roles_of(operator: Operator) -> Mapping[int, Role]:
    """Give an operator's role in each app by its id; a superuser is admin of all of them.

    Read once for each operator object, that is for each request.
    """
    known: Mapping[int, Role] | None = getattr(operator, "_roles", None)
    if known is None:
        known = _read(operator)
        operator._roles = known  # type: ignore[union-attr]  # noqa: SLF001 - ours, on their object
    return known


def apps_of(operator: Operator, *, at_least: Role = Role.VIEWER) -> Collection[int]:
    """Give the ids of the apps in which an operator has this role or a higher one."""
    return [app_id for app_id, role in roles_of(operator).items() if role >= at_least]


def may(operator: Operator, app_id: int, *, at_least: Role = Role.VIEWER) -> bool:
    """Say whether an operator has this role or a higher one in an app."""
    return roles_of(operator).get(app_id, 0) >= at_least


def is_everywhere(operator: Operator) -> bool:
    """Say whether every app, and whatever belongs to none, is an operator's."""
    staff = operator.is_active and getattr(operator, "is_staff", False)
    return bool(staff and getattr(operator, "is_superuser", False))


def _read(operator: Operator) -> Mapping[int, Role]:
    if not operator.is_active or not getattr(operator, "is_staff", False):
        return {}
    if getattr(operator, "is_superuser", False):
        return dict.fromkeys(App.objects.order_by("pk").values_list("pk", flat=True), Role.ADMIN)
    found = Membership.objects.filter(operator=operator.pk).order_by("app")
    return {app_id: Role(role) for app_id, role in found.values_list("app", "role")}
