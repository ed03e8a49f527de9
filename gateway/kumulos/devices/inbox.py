"""The in-app messages of one user, as SDKs fetch them (contracts/kumulos §2.3)."""

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from delivery.inbox import inbox_of
from delivery.message import InAppMessage, Presented
from delivery.models import InboxItem
from gateway.kumulos.in_app.responses import inbox_body
from gateway.kumulos.moments import spell, spell_any
from gateway.kumulos.notifications.fields import Fields
from gateway.kumulos.schema import UNAUTHORISED
from gateway.kumulos.viewset import DeviceViewSet
from gateway.rest.rendering import Response
from templates_app.content import fill


def read_after(text: str) -> datetime | None:
    """Give the moment up to which an SDK has its messages; None, for all, where it is no moment.

    An SDK cannot be told that it is wrong. The `+` of a zone reads as a space where it was not
    encoded; a moment of no zone is meant in UTC.
    """
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def item_body(item: InboxItem) -> dict[str, Any]:
    """Give one message, its content filled in for this user; its id is the notification's.

    Every moment has the one spelling Android reads: any other costs the user the whole answer.
    """
    message = InAppMessage.from_json(item.notification.message)
    return {
        "id": item.notification_id,
        "presentedWhen": message.presented.value,
        "content": fill(message.content, {**message.values, **item.values}),
        "data": message.data,
        "badge": message.badge,
        "inbox": inbox_body(message.inbox),
        "updatedAt": spell(item.updated_at),
        "sentAt": spell(item.sent_at),
        "openedAt": spell_any(item.opened_at),
        "readAt": spell_any(item.read_at),
        "expiresAt": spell_any(message.expires_at),
        "inboxDeletedAt": spell_any(item.deleted_at),
    }


class ItemAnswer(serializers.Serializer[Any]):
    """One in-app message, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "id": serializers.IntegerField(),
            "presentedWhen": serializers.ChoiceField(choices=list(Presented)),
            "content": serializers.DictField(),
            "data": serializers.DictField(allow_null=True),
            "badge": serializers.DictField(allow_null=True),
            "inbox": serializers.DictField(allow_null=True),
            "updatedAt": serializers.CharField(),
            "sentAt": serializers.CharField(),
            "openedAt": serializers.CharField(allow_null=True),
            "readAt": serializers.CharField(allow_null=True),
            "expiresAt": serializers.CharField(allow_null=True),
            "inboxDeletedAt": serializers.CharField(allow_null=True),
        }


class Inbox(DeviceViewSet):
    """The in-app messages of one user."""

    @extend_schema(
        summary="List a user's in-app messages",
        operation_id="inbox_list",
        parameters=[OpenApiParameter("after", OpenApiTypes.DATETIME, description="updated since")],
        responses={200: ItemAnswer(many=True), 401: UNAUTHORISED},
    )
    def browse(self, request: Request, user_uid: str) -> Response:
        """List the newest messages, oldest first; deleted ones too, expired ones not."""
        if "\0" in user_uid:  # nobody is called so, nor can be looked for
            return Response([])
        after = read_after(request.query_params.get("after", ""))
        items = inbox_of(self.app, user_uid, since=after, now=timezone.now())
        return Response([item_body(item) for item in items])
