"""Who gets in at a page of the console: operators, to what is of an app they have a role in."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from crm import roles
from crm.models import App
from crm.models.membership import Role
from delivery.models import Notification
from delivery.reports import UNREAD

INT4 = 2**31 - 1

View = Callable[..., HttpResponseBase]


def operators(view: View) -> View:
    """Let in who is signed in as an operator; anybody else is asked to sign in."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        return view(request, *args, **named)

    inside: View = admin.site.admin_view(page)
    return inside


def senders(view: View) -> View:
    """Let in who may send in at least one app."""

    def page(request: HttpRequest, *args: Any, **named: Any) -> HttpResponseBase:
        if not roles.apps_of(request.user, at_least=Role.SENDER):
            raise PermissionDenied
        return view(request, *args, **named)

    return operators(wraps(view)(page))


def apps_for(request: HttpRequest, role: Role) -> QuerySet[App]:
    """Give the apps in which the operator has this role, by name."""
    own = roles.apps_of(request.user, at_least=role)
    return App.objects.filter(pk__in=own).order_by("name", "pk")


def find_app(request: HttpRequest, said: str | None, role: Role) -> App:
    """Give the app an address or a form names; to whom has no such role in it, it is not there."""
    if said is None or not said.isascii() or not said.isdecimal() or len(said) > 9:
        raise Http404
    if not roles.may(request.user, int(said), at_least=role):
        raise Http404
    app = App.objects.filter(pk=int(said)).first()
    if app is None:
        raise Http404
    return app


def find_notification(request: HttpRequest, id_: int, role: Role) -> Notification:
    """Give a notification of an app in which the operator has a role; any other is not there.

    Whoever may see it and has not the role is told so.
    """
    known = Notification.objects.select_related("app").defer(*UNREAD)
    found = known.filter(pk=id_).first() if id_ <= INT4 else None
    if found is None or not roles.may(request.user, found.app_id):
        raise Http404
    if not roles.may(request.user, found.app_id, at_least=role):
        raise PermissionDenied
    return found
