"""Which request, which command, which response."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from delivery.commands.webhooks import find_webhook, replay_from
from delivery.webhooks.events import Stretch, read_events
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.kumulos.webhooks.requests import MOST, USUAL, ReplayFields, read_ask, read_replay
from gateway.kumulos.webhooks.responses import (
    WebhookAnswer,
    WebhookEventsAnswer,
    WebhooksAnswer,
    events_body,
    webhook_body,
    webhooks_body,
)
from gateway.rest.body import json_object
from gateway.rest.rendering import Response

CURSOR = [
    OpenApiParameter("after", str, description="The id of an event; 0, the first, unless said."),
    OpenApiParameter("limit", int, description=f"1 to {MOST}; {USUAL} unless said otherwise."),
    OpenApiParameter("types", str, description="Types with commas between; all unless said."),
]


class Webhooks(ServerViewSet):
    """Webhooks of one app: an addition of this gateway. Operators make them."""

    @extend_schema(
        operation_id="webhooks_browse",
        summary="List webhooks",
        responses={200: WebhooksAnswer, 401: UNAUTHORISED},
    )
    def browse(self, request: Request) -> Response:
        """List an app's webhooks and whether they are told anything at the moment."""
        del request
        return Response(webhooks_body(self.app.webhooks.order_by("pk")))

    @extend_schema(
        operation_id="webhooks_events",
        summary="List events after a cursor",
        parameters=CURSOR,
        responses={200: WebhookEventsAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def events(self, request: Request) -> Response:
        """Give what was kept for webhooks after a cursor, in order; ask again with `next`."""
        ask = read_ask(request.query_params)
        stretch = Stretch(app_id=self.app.pk, topics=ask.topics, after=ask.after)
        page = read_events(stretch, most=ask.most)
        return Response(events_body(page, after=ask.after))

    @extend_schema(
        summary="Be told again",
        request=ReplayFields,
        responses={202: WebhookAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def replay(self, request: Request, key: str) -> Response:
        """Have a webhook told everything after a cursor again, before anything new."""
        webhook = find_webhook(app=self.app, key=key)
        replay_from(webhook, after=read_replay(json_object(request)))
        return Response(webhook_body(webhook), status=202)
