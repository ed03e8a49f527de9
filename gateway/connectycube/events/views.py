"""Which request, which command, which response."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request

from delivery.commands.amend import revise_notification, withdraw_notification
from delivery.commands.send import send_reachable
from delivery.models import Notification
from delivery.reports import authored, find_from, runs
from gateway.connectycube.errors import Forbidden
from gateway.connectycube.events.answers import (
    EventAnswer,
    EventChangeFields,
    EventFields,
    EventsAnswer,
)
from gateway.connectycube.events.requests import SOURCE, read_event, read_revision
from gateway.connectycube.events.responses import created_body, event_body
from gateway.connectycube.pagination import page_body, read_page
from gateway.connectycube.schema import BAD_REQUEST, FORBIDDEN, INVALID, NOT_FOUND, UNAUTHORISED
from gateway.connectycube.viewset import UserViewSet
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response

CREATED = PolymorphicProxySerializer(
    component_name="CreatedEvents",
    serializers=[EventAnswer, EventAnswer(many=True)],
    resource_type_field_name=None,
    many=False,
)

CHANGED: dict[str, Any] = {
    "summary": "Pause, resume, repeat or change an event",
    "request": EventChangeFields,
    "responses": {
        200: EventAnswer,
        400: BAD_REQUEST,
        401: UNAUTHORISED,
        403: FORBIDDEN,
        404: NOT_FOUND,
        422: INVALID,
    },
}


class Events(UserViewSet):
    """Events of one application; only their author changes them."""

    recorded = frozenset({"update", "destroy"})

    @extend_schema(
        summary="Push to users, now, later or again and again",
        request=EventFields,
        responses={
            201: CREATED,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            403: FORBIDDEN,
            422: INVALID,
        },
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Accept an event: 201 means stored; delivery follows."""
        del request
        ask = read_event(self.body(), app=self.app, author=self.author, now=timezone.now())
        events = send_reachable(ask.sends)
        body = created_body(events, app=self.app, push_type=ask.push_type)
        return Response(body, status=201)

    @extend_schema(
        summary="List the user's own events",
        operation_id="events_list",
        parameters=[OpenApiParameter("page", int), OpenApiParameter("per_page", int)],
        responses={
            200: EventsAnswer,
            400: BAD_REQUEST,
            401: UNAUTHORISED,
            403: FORBIDDEN,
            422: INVALID,
        },
    )
    def browse(self, request: Request) -> Response:
        """List the events whoever is signed in has made, oldest first."""
        del request
        page, found = read_page(self.query()), authored(self.app, source=SOURCE, by=self.author)
        shown = list(found[page.rows])
        known = runs(shown)
        items = [event_body(event, known[event.pk]) for event in shown]
        return Response(page_body(page, total=found.count(), items=items))

    @extend_schema(
        summary="Read an event",
        responses={200: EventAnswer, 401: UNAUTHORISED, 403: FORBIDDEN, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, event_id: int) -> Response:
        """Read any event of the application."""
        del request
        return Response(described(find_from(self.app, event_id, source=SOURCE)))

    @extend_schema(methods=["PUT"], operation_id="events_update", **CHANGED)
    @extend_schema(methods=["POST"], operation_id="events_update_by_post", **CHANGED)
    @once_per_key
    def update(self, request: Request, event_id: int) -> Response:
        """Change what is given of an event; the seed's own sample does it with POST."""
        del request
        event = self._own(event_id)
        revision = read_revision(self.body(), event=event, now=timezone.now())
        return Response(described(revise_notification(revision)))

    @extend_schema(
        summary="Delete an event",
        responses={200: None, 401: UNAUTHORISED, 403: FORBIDDEN, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, event_id: int) -> Response:
        """Delete an event: a run that is ahead is cancelled."""
        del request
        event = self._own(event_id)
        withdraw_notification(app=self.app, notification_id=event.pk, source=SOURCE)
        return Response(status=200)

    def _own(self, event_id: int) -> Notification:
        event = find_from(self.app, event_id, source=SOURCE)
        if event.author_id != self.author.pk:
            raise Forbidden
        return event


def described(event: Notification) -> dict[str, object]:
    """Give an event and what its runs have come to."""
    return event_body(event, runs([event])[event.pk])
