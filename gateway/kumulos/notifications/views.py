"""Which request, which command, which response."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from crm.errors import NotFound
from delivery.commands.amend import cancel_notification, edit_notification
from delivery.commands.send import send_notification
from delivery.models import Notification
from delivery.reports import find_push, firings, install_opens, progress, pushes, user_opens
from gateway.kumulos.notifications.answers import (
    DetailAnswer,
    InstallOpenAnswer,
    ListAnswer,
    NotificationAnswer,
    UserOpenAnswer,
)
from gateway.kumulos.notifications.fields import INT4, NotificationFields
from gateway.kumulos.notifications.requests import read_send
from gateway.kumulos.notifications.responses import (
    detail_body,
    list_body,
    notification_body,
    opens_body,
)
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.paging import read_page
from gateway.rest.rendering import Response


class Notifications(ServerViewSet):
    """Notifications of one app."""

    recorded = frozenset({"update", "destroy"})

    @extend_schema(
        summary="Send a notification, now or later",
        request=NotificationFields,
        responses={201: NotificationAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Accept a notification: 201 means stored; delivery follows."""
        ask = read_send(json_object(request), app=self.app, now=timezone.now())
        notification = send_notification(ask)
        return Response(notification_body(notification), status=201)

    @extend_schema(
        summary="List notifications and how far they have come",
        operation_id="notifications_list",
        parameters=[OpenApiParameter("currentPage", int), OpenApiParameter("numberPerPage", int)],
        responses={200: ListAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List notifications, newest first."""
        page, found = read_page(request.query_params, required=False), pushes(self.app)
        shown = progress(found[page.rows], now=timezone.now())
        return Response(list_body(shown, total=found.count(), page=page))

    @extend_schema(
        summary="Read a notification, its firings and what became of them",
        responses={200: DetailAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, notification_id: str) -> Response:
        """Read one notification."""
        del request
        notification = find_push(self.app, read_id(notification_id))
        return Response(describe(notification))

    @extend_schema(
        summary="Put another ask in the place of one that has not begun to fire",
        request=NotificationFields,
        responses={200: DetailAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def update(self, request: Request, notification_id: str) -> Response:
        """Replace the whole ask; refused once anything of it has fired or was cancelled."""
        known = find_push(self.app, read_id(notification_id))
        ask = read_send(json_object(request), app=self.app, now=timezone.now())
        notification = edit_notification(ask, notification_id=known.pk)
        return Response(describe(notification))

    @extend_schema(
        summary="Cancel what has not fired of a notification",
        responses={204: None, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def destroy(self, request: Request, notification_id: str) -> Response:
        """Cancel a notification; refused where nothing is left to cancel."""
        del request
        cancel_notification(app=self.app, notification_id=read_id(notification_id))
        return Response(status=204)

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


def describe(notification: Notification) -> dict[str, Any]:
    """Give all there is to say of a notification, as of now."""
    now = timezone.now()
    [shown] = progress([notification], now=now)
    return detail_body(shown, firings(notification, now=now))
