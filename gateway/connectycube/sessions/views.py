"""Which request, which command, which response."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from crm.commands.accounts import SignUp, sign_up
from crm.commands.sessions import (
    TooManyAttempts,
    WrongPassword,
    authenticate,
    close_other_sessions,
    close_session,
    log_in,
    log_out,
    open_session,
)
from crm.models import App, User
from gateway.connectycube.auth import Way, read_token
from gateway.connectycube.envelope import read_body_as_written
from gateway.connectycube.errors import Unauthorized
from gateway.connectycube.schema import (
    BAD_REQUEST,
    INVALID,
    NOT_FOUND,
    TOO_MANY,
    UNAUTHORISED,
)
from gateway.connectycube.sessions.answers import LoginFields, SessionAnswer, SessionFields
from gateway.connectycube.sessions.requests import (
    NAMES,
    Credentials,
    SessionAsk,
    read_application,
    read_credentials,
    read_session,
)
from gateway.connectycube.sessions.responses import session_body
from gateway.connectycube.users.answers import CubeUserAnswer
from gateway.connectycube.users.responses import user_body
from gateway.connectycube.viewset import ApplicationViewSet
from gateway.rest.rendering import Response
from gateway.rest.strangers import counted
from gateway.rest.throttling import TooManyRequests, admit


class Sessions(ApplicationViewSet):
    """The session itself."""

    other_ways = {"POST": Way.NOTHING}

    @extend_schema(
        summary="Open a session of an application, or of someone in it",
        auth=[],
        request=SessionFields,
        responses={
            201: SessionAnswer,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            404: NOT_FOUND,
            422: INVALID,
            429: TOO_MANY,
        },
    )
    def create(self, request: Request) -> Response:
        """Open a session."""
        said = read_body_as_written(request)
        with counted(request):
            app = read_application(said)
        admit(app, door=self.door)
        ask = read_session(app, said)
        opened = open_session(
            app=ask.app, user=signing_in(ask), timestamp=ask.timestamp, nonce=ask.nonce
        )
        self.session = opened.session
        return Response(session_body(opened.session, opened.token), status=201)

    @extend_schema(summary="Read the session", responses={200: SessionAnswer, 401: UNAUTHORISED})
    def retrieve(self, request: Request) -> Response:
        """Read the session the token opens."""
        token, _ = read_token(request) or ("", "")
        assert self.session is not None
        return Response(session_body(self.session, token))

    @extend_schema(summary="End the session", responses={200: None, 401: UNAUTHORISED})
    def destroy(self, request: Request) -> Response:
        """End it: the token opens nothing any more; subscriptions stay."""
        del request
        assert self.session is not None
        close_session(self.session)
        self.session = None
        return Response(status=200)


class OtherSessions(ApplicationViewSet):
    """The sessions of all other devices of a user."""

    @extend_schema(
        summary="End every other session of the user", responses={200: None, 401: UNAUTHORISED}
    )
    def destroy(self, request: Request) -> Response:
        """End them."""
        del request
        assert self.session is not None
        close_other_sessions(self.session)
        return Response(status=200)


class Logins(ApplicationViewSet):
    """Who a session belongs to."""

    @extend_schema(
        summary="Sign someone in on this session",
        request=LoginFields,
        responses={
            202: CubeUserAnswer,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            422: INVALID,
            429: TOO_MANY,
        },
    )
    def create(self, request: Request) -> Response:
        """Make it the user's own."""
        del request
        user = known(self.app, read_credentials(self.body()))
        assert self.session is not None
        log_in(self.session, user)
        return Response({"user": user_body(user)}, status=202)

    @extend_schema(summary="Sign out", responses={200: None, 401: UNAUTHORISED})
    def destroy(self, request: Request) -> Response:
        """Leave it the application's."""
        del request
        assert self.session is not None
        log_out(self.session)
        return Response(status=200)


def signing_in(ask: SessionAsk) -> User | None:
    """Give whoever the session is for, made known first where the ask and the app allow it."""
    if ask.guest is not None:
        return sign_up(ask.guest)
    if ask.credentials is None:
        return None
    said = ask.credentials
    if ask.app.cube_creates_users and not is_known(ask.app, said):
        login, email = (said.value if said.name == name else None for name in NAMES)
        return sign_up(SignUp(app=ask.app, login=login, email=email, password=said.password))
    return known(ask.app, said)


def is_known(app: App, said: Credentials) -> bool:
    """Say whether anybody has this login or e-mail."""
    return User.objects.filter(app=app, **{said.name: said.value}).exists()


def known(app: App, said: Credentials) -> User:
    """Give whoever these are the credentials of."""
    try:
        return authenticate(app=app, name=said.name, value=said.value, password=said.password)
    except TooManyAttempts as refusal:
        raise TooManyRequests(wait=refusal.wait) from refusal
    except WrongPassword as refusal:
        raise Unauthorized from refusal
