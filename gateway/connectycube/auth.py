"""The session token in `CB-Token`, or `QB-Token` of the ancestor's clients."""

from typing import ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from crm.commands.sessions import resume_session
from crm.models import App, AppKey, Session
from crm.sealing import fingerprint
from gateway.connectycube.errors import NoSuchSession, TokenRequired, Unauthorized

HEADERS = {"HTTP_CB_TOKEN": "CB", "HTTP_QB_TOKEN": "QB"}
KEY_HEADERS = ("HTTP_CB_AUTHKEY", "HTTP_QB_AUTHKEY")


def read_token(request: Request) -> tuple[str, str] | None:
    """Give the token and the two letters its header begins with; None where there is none."""
    for name, letters in HEADERS.items():
        if token := request.META.get(name, "").strip():
            return token, letters
    return None


class SessionToken(BaseAuthentication):
    """Lets in whoever holds a living session's token; `request.auth` is then the Session."""

    def authenticate(self, request: Request) -> tuple[None, Session]:
        """Give the session, its life prolonged by this very request."""
        if (said := read_token(request)) is None:
            raise TokenRequired
        if (session := resume_session(said[0])) is None:
            raise NoSuchSession
        return None, session


class SessionOrKey(SessionToken):
    """The same, and without a token the application's own key: sign-up only (§2)."""

    kind: ClassVar[AppKey.Kind] = AppKey.Kind.AUTH

    def authenticate(self, request: Request) -> tuple[None, Session | App]:  # type: ignore[override]
        """Give the session, or the application its key names."""
        key = next((said for name in KEY_HEADERS if (said := request.META.get(name))), None)
        if key is None or read_token(request) is not None:
            return super().authenticate(request)
        if (app := app_of(key.strip())) is None:
            raise Unauthorized
        return None, app


def app_of(auth_key: str) -> App | None:
    """Give the application an authorization key opens."""
    keys = AppKey.objects.live().filter(kind=AppKey.Kind.AUTH, fingerprint=fingerprint(auth_key))
    return App.objects.filter(keys__in=keys).first()
