"""The session token in `CB-Token`, or `QB-Token` of the ancestor's clients."""

from enum import Enum, auto

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from crm.commands.sessions import resume_session
from crm.models import App, AppKey, Session
from crm.sealing import fingerprint
from gateway.connectycube.errors import NoSuchSession, TokenRequired, Unauthorized
from gateway.rest.strangers import counted

HEADERS = {"HTTP_CB_TOKEN": "CB", "HTTP_QB_TOKEN": "QB"}
KEY_HEADERS = ("HTTP_CB_AUTHKEY", "HTTP_QB_AUTHKEY")


def read_token(request: Request) -> tuple[str, str] | None:
    """Give the token and the two letters its header begins with; None where there is none."""
    for name, letters in HEADERS.items():
        if token := request.META.get(name, "").strip():
            return token, letters
    return None


class Way(Enum):
    """How some actions open without a session."""

    NOTHING = auto()  # it is what makes one: whatever token is still held is not looked at
    KEY = auto()  # with the application's own key (§2)


class SessionToken(BaseAuthentication):
    """Lets in whoever holds a living session's token; `request.auth` is then the Session.

    A view may name other ways in by method, in `other_ways`.
    """

    def authenticate(self, request: Request) -> tuple[None, Session | App] | None:
        """Give the session, its life prolonged by this very request, or what another way gives."""
        said = read_token(request)
        way = request.parser_context["view"].other_ways.get(request.method)
        if way is Way.NOTHING:
            return None
        if way is Way.KEY and said is None and (key := read_key(request)) is not None:
            with counted(request):
                return None, app_of(key)
        if said is None:
            raise TokenRequired
        if (session := resume_session(said[0])) is None:
            raise NoSuchSession
        return None, session


def read_key(request: Request) -> str | None:
    """Give the authorization key of the request, None where there is none."""
    return next((said.strip() for name in KEY_HEADERS if (said := request.META.get(name))), None)


def app_of(auth_key: str) -> App:
    """Give the application an authorization key opens; raises `Unauthorized` for any other."""
    keys = AppKey.objects.live().filter(kind=AppKey.Kind.AUTH, fingerprint=fingerprint(auth_key))
    if (app := App.objects.filter(keys__in=keys).first()) is None:
        raise Unauthorized
    return app
