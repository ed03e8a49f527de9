"""HTTP Basic with an app's API key and one of its two keys; each opens its own routes only."""

import base64
import binascii
import time
from typing import ClassVar

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from crm.models import App, AppKey
from crm.sealing import fingerprint
from gateway.rest.strangers import counted


class KeyCache:
    """Apps by the keys that opened them a moment ago, so that a herd asks the database once.

    Keys are known by their fingerprint, never in clear. Wrong ones are not remembered: a new key
    works at once, and nobody can fill the cache by guessing.
    """

    LARGEST = 4096

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[float, App]] = {}

    def opened_by(self, *, kind: AppKey.Kind, api_key: str, secret: str) -> App | None:
        """Give the app this pair opens now or opened within the last `KEY_CACHE`."""
        app = self.remembered(kind=kind, api_key=api_key, secret=secret)
        if app is not None:
            return app
        app = App.objects.opened_by(kind=kind, api_key=api_key, secret=secret)
        if app is not None and settings.KEY_CACHE:
            self._remember(_mark(kind, api_key, secret), app)
        return app

    def remembered(self, *, kind: AppKey.Kind, api_key: str, secret: str) -> App | None:
        """Give the app this pair opened within the last `KEY_CACHE`."""
        until, app = self._known.get(_mark(kind, api_key, secret), (0.0, None))
        return app if time.monotonic() < until else None

    def _remember(self, mark: bytes, app: App) -> None:
        if len(self._known) >= self.LARGEST:
            self._known.clear()
        self._known[mark] = (time.monotonic() + settings.KEY_CACHE.total_seconds(), app)


def _mark(kind: AppKey.Kind, api_key: str, secret: str) -> bytes:
    return fingerprint(f"{kind}:{api_key}:{secret}")


keys = KeyCache()


class BasicKeys(BaseAuthentication):
    """Lets in whoever holds an app's key of one kind; `request.auth` is then the App."""

    kind: ClassVar[AppKey.Kind]

    def authenticate(self, request: Request) -> tuple[None, App]:
        """Give the app; missing, malformed and wrong credentials are all the same 401."""
        pair = read_basic(request.META.get("HTTP_AUTHORIZATION", ""))
        app = pair and keys.remembered(kind=self.kind, api_key=pair[0], secret=pair[1])
        if app:
            return None, app
        with counted(request):
            app = pair and keys.opened_by(kind=self.kind, api_key=pair[0], secret=pair[1])
            if not app:
                raise AuthenticationFailed("The API key or its secret is missing or wrong.")
        return None, app

    def authenticate_header(self, request: Request) -> str:
        """Give the challenge of a 401."""
        del request
        return 'Basic realm="push"'


class DeviceKey(BasicKeys):
    """API key and secret key: shipped inside apps, so they open device routes only."""

    kind = AppKey.Kind.DEVICE


class ServerKey(BasicKeys):
    """API key and server key: a backend's."""

    kind = AppKey.Kind.SERVER


def read_basic(header: str) -> tuple[str, str] | None:
    """Give user and password of an Authorization header; None where it is not well formed.

    Only the first colon separates them (RFC 7617 §2).
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = pair.partition(":")
    return (user, password) if colon else None
