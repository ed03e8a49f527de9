"""Domain → wire: the created notification, and who opened it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from delivery.models import Notification

FROM_API = ACCEPTED = 1  # the only source and status the documented answer knows


def notification_body(notification: Notification) -> dict[str, Any]:
    """Give the answer to an accepted send, in the documented order."""
    return {
        "appId": notification.app_id,
        "source": FROM_API,
        "status": ACCEPTED,
        "filters": notification.filters,
        "title": notification.message["title"],
        "message": notification.message["body"],
        "data": notification.message.get("data"),
        "updatedAt": _zoned(notification.updated_at),
        "createdAt": _zoned(notification.created_at),
        "id": notification.pk,
    }


def opens_body(opens: Iterable[tuple[str, datetime]], *, by: str) -> list[dict[str, str]]:
    """Give a bare array of openers, each under the key `by` names."""
    return [{by: uid, "openedAt": _bare(opened_at)} for uid, opened_at in opens]


def _zoned(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _bare(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class NotificationAnswer(serializers.Serializer[Any]):
    """The created notification, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {
            "appId": serializers.IntegerField(),
            "source": serializers.IntegerField(),
            "status": serializers.IntegerField(),
            "filters": serializers.DictField(),
            "title": serializers.CharField(),
            "message": serializers.CharField(),
            "data": serializers.DictField(allow_null=True),
            "updatedAt": serializers.CharField(),
            "createdAt": serializers.CharField(),
            "id": serializers.IntegerField(),
        }


class InstallOpenAnswer(serializers.Serializer[Any]):
    """One install that opened a notification, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {"installId": serializers.CharField(), "openedAt": serializers.CharField()}


class UserOpenAnswer(serializers.Serializer[Any]):
    """One user who opened a notification, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {"userId": serializers.CharField(), "openedAt": serializers.CharField()}
