"""What stands between an operator's browser and every page."""

import time
from collections.abc import Callable

from allauth.account.middleware import AccountMiddleware
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from crm.audit import Actor, acting
from delivery.context import request_id
from gateway.console.address import client_address
from gateway.pages import ForPages, is_page

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

BEGAN, SEEN = "console_began", "console_seen"

MINUTE = 60
"""How often a session is written for having been used."""

ALWAYS_OPEN = ("/admin/account/", "/admin/login/", "/admin/logout/", "/static/", "/docs")
"""Where somebody without a second factor may go even where one is required."""

FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


class Accounts(ForPages):
    """What django-allauth has to know of a page's request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._next, self._inner = get_response, AccountMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a page's request with allauth around it, any other without it."""
        answer: HttpResponseBase = (self._inner if is_page(request) else self._next)(request)
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Send somebody to where they say once more who they are, where a page asks for it."""
        if not is_page(request):
            return None
        answer: HttpResponseBase | None = self._inner.process_exception(request, error)
        return answer


class SignedInFor(ForPages):
    """How long an operator stays signed in, at most, and while they do nothing."""

    def process_request(self, request: HttpRequest) -> None:
        """Sign out whoever was signed in for too long, or is no operator any more."""
        user = request.user
        if user.is_authenticated and (not getattr(user, "is_staff", False) or _has_ended(request)):
            logout(request)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Keep what an operator sees out of every cache, also the browser's own."""
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            response.headers.setdefault("Cache-Control", "no-store, private")
        return response


def _has_ended(request: HttpRequest) -> bool:
    now, session = time.time(), request.session
    began, seen = session.get(BEGAN), session.get(SEEN)
    if began is None or seen is None:
        session[BEGAN] = session[SEEN] = now
        return False
    longest, idle = settings.SESSION_LIFETIME, settings.SESSION_IDLE
    if now - began > longest.total_seconds() or now - seen > idle.total_seconds():
        return True
    if now - seen > MINUTE:
        session[SEEN] = now
    return False


class SecondFactor(ForPages):
    """Where a second factor is required, whoever has none gets no further than to make one."""

    def process_request(self, request: HttpRequest) -> HttpResponseBase | None:
        """Lead to where a second factor is made."""
        if not settings.REQUIRE_SECOND_FACTOR or request.path_info.startswith(ALWAYS_OPEN):
            return None
        if request.user.is_anonymous or is_mfa_enabled(request.user, FACTORS):
            return None
        return HttpResponseRedirect(reverse("mfa_activate_totp"))


class Deeds(ForPages):
    """A page's request that may write is one transaction, and the audit log knows whose it is.

    It is undone where the view fails. Wrong passwords are counted in the cache, and stay counted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        if not is_page(request) or request.method in SAFE:
            return self._next(request)
        with acting(actor_of(request)):
            answer = self._next(request)
            if getattr(request, "deed_failed", False):
                transaction.set_rollback(True)
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Note that the view has failed: by now its exception is an answer."""
        del error
        request.deed_failed = True  # type: ignore[attr-defined]


def actor_of(request: HttpRequest) -> Actor:
    """Give whoever sent a page's form, as the audit log knows them."""
    return Actor(
        via="admin",
        name=request.user.get_username(),
        operator_id=request.user.pk,
        request_id=request_id.get(),
        address=client_address(request),
        by_hand=True,
    )
