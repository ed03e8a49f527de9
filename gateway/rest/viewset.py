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

    renderer_classes = [JSONRenderer]
    parser_classes = [JSONParser]  # what the OpenAPI page shows; nothing is parsed by it
    content_negotiation_class = AlwaysJson
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
        address = request.META.get("REMOTE_ADDR", "")
        with acting(Actor(via="api", name=dialect, request_id=own_id, address=address)):
            return super().dispatch(request, *args, **kwargs)

    @property
    def app(self) -> App:
        """The tenant whose key opened this request."""
        assert isinstance(self.request.auth, App)
        return self.request.auth
