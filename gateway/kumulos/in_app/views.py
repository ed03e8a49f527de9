"""Which request, which command, which response."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from delivery.commands.amend import cancel_notification
from delivery.commands.send import send_notification
from delivery.inbox import count_inboxes, find_message, messages_of
from delivery.models import Notification
from delivery.reports import Progress, progress
from gateway.kumulos.in_app.answers import InAppAnswer, InAppDetailAnswer, InAppListAnswer
from gateway.kumulos.in_app.fields import InAppFields
from gateway.kumulos.in_app.requests import read_in_app
from gateway.kumulos.in_app.responses import detail_body, list_body, message_body
from gateway.kumulos.notifications.views import read_id
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.paging import read_page
from gateway.rest.rendering import Response


class InAppMessages(ServerViewSet):
    """In-app messages of one app."""

    recorded = frozenset({"destroy"})

    @extend_schema(
        summary="Send an in-app message, now or later",
        request=InAppFields,
        responses={201: InAppAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Accept an in-app message: 201 means stored; inboxes follow."""
        ask = read_in_app(json_object(request), app=self.app, now=timezone.now())
        notification = send_notification(ask)
        return Response(message_body(_progress(notification)), status=201)

    @extend_schema(
        summary="List in-app messages and how far they have come",
        operation_id="in_app_messages_list",
        parameters=[OpenApiParameter("currentPage", int), OpenApiParameter("numberPerPage", int)],
        responses={200: InAppListAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List in-app messages, newest first."""
        page, found = read_page(request.query_params, required=False), messages_of(self.app)
        shown = progress(found[page.rows], now=timezone.now())
        return Response(list_body(shown, total=found.count(), page=page))

    @extend_schema(
        summary="Read an in-app message and what users did with it",
        responses={200: InAppDetailAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, message_id: str) -> Response:
        """Read one in-app message."""
        del request
        message = find_message(self.app, read_id(message_id))
        return Response(detail_body(_progress(message), count_inboxes(message)))

    @extend_schema(
        summary="Cancel an in-app message that has not fired",
        responses={
            204: OpenApiResponse(description="What has not fired will not."),
            401: UNAUTHORISED,
            404: NOT_FOUND,
            422: INVALID,
        },
    )
    def destroy(self, request: Request, message_id: str) -> Response:
        """Cancel what has not fired; inboxes that have the message keep it."""
        del request
        in_app = Notification.Kind.IN_APP
        cancel_notification(app=self.app, notification_id=read_id(message_id), kind=in_app)
        return Response(status=204)


def _progress(notification: Notification) -> Progress:
    [one] = progress([notification], now=timezone.now())
    return one
