"""What all ConnectyCube resources share: who is asking, what they sent, how they are refused."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request

from crm.models import App, Session, User
from gateway.connectycube.auth import SessionToken, Way, read_token
from gateway.connectycube.envelope import read_body, read_params
from gateway.connectycube.errors import NeedsUser, refuse
from gateway.connectycube.moments import expiry
from gateway.rest.errors import Handler
from gateway.rest.viewset import WireViewSet


class CubeViewSet(WireViewSet):
    """A resource that says no as ConnectyCube does, and tells until when a token lives."""

    door = "session"
    key_field = "idempotency_key"
    session: Session | None = None
    """Whose token opened the request, or was opened by it; every answer tells of its expiry."""

    def get_exception_handler(self) -> Handler:
        """Give the dialect's way of saying no."""
        return refuse

    def body(self) -> dict[str, Any]:
        """Give what was sent, as JSON or as a form."""
        return read_body(self.request)

    def query(self) -> dict[str, Any]:
        """Give the query string, nested by its brackets."""
        return read_params(self.request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell until when the token lives: a client that does not hear it logs in each time."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.session is not None:
            _, letters = read_token(request) or ("", "CB")
            for prefix in {"CB", letters}:
                final[f"{prefix}-Token-ExpirationDate"] = expiry(self.session.expires_at)
        return final


class ApplicationViewSet(CubeViewSet):
    """A resource any session opens."""

    authentication_classes = [SessionToken]
    other_ways: ClassVar[Mapping[str | None, Way]] = {}
    """How an action opens without a session, by method."""

    def perform_authentication(self, request: Request) -> None:
        """Take the session up before anything else is looked at."""
        super().perform_authentication(request)
        if isinstance(request.auth, Session):
            self.session = request.auth

    @property
    def app(self) -> App:
        """The tenant of the session, or of the key where that opened the request."""
        return self.session.app if self.session else super().app

    @property
    def key_owner(self) -> str:
        """A user's own, whichever of their sessions it is; else the application's."""
        return f"user {self.user.pk}" if self.user else "application"

    @property
    def user(self) -> User | None:
        """Whoever is signed in."""
        return self.session.user if self.session else None


class UserViewSet(ApplicationViewSet):
    """A resource only somebody's own session opens."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse an application's session."""
        super().initial(request, *args, **kwargs)
        if self.user is None:
            raise NeedsUser

    @property
    def author(self) -> User:
        """Whoever is signed in; there is always someone."""
        assert self.user is not None
        return self.user
