"""Which request, which command, which response."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from crm.errors import NotFound
from delivery.commands.send import send_notification
from delivery.reports import install_opens, user_opens
from gateway.kumulos.notifications.fields import INT4, NotificationFields
from gateway.kumulos.notifications.requests import read_send
from gateway.kumulos.notifications.responses import (
    InstallOpenAnswer,
    NotificationAnswer,
    UserOpenAnswer,
    notification_body,
    opens_body,
)
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object


class Notifications(ServerViewSet):
    """Notifications of one app."""

    @extend_schema(
        summary="Send a notification, now or later",
        request=NotificationFields,
        responses={201: NotificationAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def create(self, request: Request) -> Response:
        """Accept a notification: 201 means stored; delivery follows."""
        ask = read_send(json_object(request), app=self.app, now=timezone.now())
        notification = send_notification(ask)
        return Response(notification_body(notification), status=201)

    @extend_schema(
        summary="List the installs that opened a notification",
        responses={200: InstallOpenAnswer(many=True), 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def install_opens(self, request: Request, notification_id: str) -> Response:
        """List installs by their first open, oldest first."""
        del request
        opens = install_opens(self.app, read_id(notification_id))
        return Response(opens_body(opens, by="installId"))

    @extend_schema(
        summary="List the users who opened a notification",
        responses={200: UserOpenAnswer(many=True), 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def user_opens(self, request: Request, notification_id: str) -> Response:
        """List users by their first open, oldest first; anonymous ones under the install id."""
        del request
        opens = user_opens(self.app, read_id(notification_id))
        return Response(opens_body(opens, by="userId"))


def read_id(text: str) -> int:
    """Give a notification's id; text that cannot be one names nothing."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= INT4):
        raise NotFound("No such notification.")
    return int(text)
