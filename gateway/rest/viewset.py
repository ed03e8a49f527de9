"""The view every dialect starts from: parse, command, render, and nothing guessed in between."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from crm.audit import Actor, acting
from crm.models import App
from gateway.rest.forwarded import asked_from
from gateway.rest.throttling import admit


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says: old clients send none, browsers send their own."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Give none: bodies are read by `gateway.rest.body`."""
        del request, parsers
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Give the one renderer there is."""
        del request, format_suffix
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class WireViewSet(ViewSet):
    """A dialect's resource: each action reads the request, runs one command, renders its result.

    A dialect derives from it with its own exception handler, and an authenticator whose `auth` is
    the App.
    """

    # what the OpenAPI page shows; nothing is parsed or rendered by them
    parser_classes = [JSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    door: str
    """Which of the tenant's doors leads here: each has a rate of its own."""

    key_field: str
    """The member of a body that may hold what else is in the header `Idempotency-Key`."""

    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    recorded: ClassVar[frozenset[str]] = frozenset()
    """The actions whose changes the audit log lays at this API's door: few calls, no send."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request; a recorded one in a transaction that knows who asked."""
        action = self.action_map.get((request.method or "").lower())
        if action not in self.recorded:
            return super().dispatch(request, *args, **kwargs)
        dialect = type(self).__module__.split(".")[1]
        own_id = getattr(request, "request_id", "")
        address = asked_from(request.META) or ""
        with acting(Actor(via="api", name=dialect, request_id=own_id, address=address)):
            return super().dispatch(request, *args, **kwargs)

    @property
    def app(self) -> App:
        """The tenant whose key opened this request."""
        assert isinstance(self.request.auth, App)
        return self.request.auth

    @property
    def key_owner(self) -> str:
        """Who of the tenant asks, as far as they are told apart: each has keys of their own."""
        return self.door

    def check_throttles(self, request: Request) -> None:
        """Refuse a request too many of the tenant, before anything of it is read."""
        if request.auth is not None:
            admit(self.app, door=self.door)

    def body(self) -> dict[str, Any]:
        """Give the members of the body."""
        raise NotImplementedError
