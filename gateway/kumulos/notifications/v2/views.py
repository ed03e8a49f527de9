"""Which request, which command, which response."""

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from delivery.commands.amend import cancel_notification
from delivery.commands.send import send_notification
from delivery.reports import find_push
from gateway.kumulos.notifications.responses import notification_body
from gateway.kumulos.notifications.v2.answers import DetailV2Answer, NotificationV2Answer
from gateway.kumulos.notifications.v2.errors import refuse
from gateway.kumulos.notifications.v2.fields import NotificationV2Fields
from gateway.kumulos.notifications.v2.requests import read_send
from gateway.kumulos.notifications.views import describe, read_id
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.errors import Handler
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response

NOBODY = OpenApiResponse(OpenApiTypes.OBJECT, "None of the targeted users and installs exists.")
TOO_LATE = OpenApiResponse(OpenApiTypes.OBJECT, "Already sent or cancelled.")


class NotificationsV2(ServerViewSet):
    """Notifications of one app, as the vendor's second API sends and cancels them."""

    recorded = frozenset({"destroy"})

    def get_exception_handler(self) -> Handler:
        """Give v2's way of saying no."""
        return refuse

    @extend_schema(
        summary="Send a notification, now or later (second API)",
        request=NotificationV2Fields,
        responses={
            200: NotificationV2Answer,
            202: NotificationV2Answer,
            400: NOBODY,
            401: UNAUTHORISED,
            422: INVALID,
        },
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Accept a notification, with the one status the app's clients take for a yes."""
        ask = read_send(json_object(request), app=self.app, now=timezone.now())
        body = {"notification": notification_body(send_notification(ask))}
        return Response(body, status=self.app.kumulos_v2_status)

    @extend_schema(
        summary="Read a notification, its firings and what became of them (second API)",
        responses={200: DetailV2Answer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, notification_id: str) -> Response:
        """Read one notification."""
        del request
        notification = find_push(self.app, read_id(notification_id))
        return Response({"notification": describe(notification)})

    @extend_schema(
        summary="Cancel what has not fired of a notification (second API)",
        responses={204: None, 400: TOO_LATE, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, notification_id: str) -> Response:
        """Cancel a notification; refused where nothing is left to cancel."""
        del request
        cancel_notification(app=self.app, notification_id=read_id(notification_id))
        return Response(status=204)
