"""Middleware for the pages people open in a browser; an API has no session, form or frame."""

from collections.abc import Awaitable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.deprecation import MiddlewareMixin

PREFIXES = ("/admin", "/docs", "/static/")
"""What belongs to people; all else is an API's."""


CONTENT_SECURITY_POLICY = (
    # the theme's Alpine evaluates its attributes, and puts styles on elements
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def is_page(request: HttpRequest) -> bool:
    """Say whether a request is a browser's own."""
    return request.path_info.startswith(PREFIXES)


class ForPages(MiddlewareMixin):
    """Lets the requests of APIs pass by the middleware it stands before."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer a page's request through the middleware, any other without it."""
        return super().__call__(request) if is_page(request) else self.get_response(request)


class Policy(ForPages):
    """What a page may load and run: what we serve, unless it has a stricter policy of its own."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the policy to a page's answer."""
        del request
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response


class Security(ForPages, SecurityMiddleware):
    """What browsers may do with a page."""


class Sessions(ForPages, SessionMiddleware):
    """Who stays signed in."""


class Forms(ForPages, CsrfViewMiddleware):
    """Forms come from our own pages only."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Any,
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        """Refuse a page's form that came from elsewhere; what APIs are sent is no form."""
        if not is_page(request):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)


class SignedIn(ForPages, AuthenticationMiddleware):
    """Who is signed in."""


class Messages(ForPages, MessageMiddleware):
    """What the next page has to tell."""


class Frames(ForPages, XFrameOptionsMiddleware):
    """No page of ours in a frame of somebody else's."""
