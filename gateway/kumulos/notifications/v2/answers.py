"""What v2's answers look like, for the OpenAPI page: v1's objects, each in a box."""

from typing import Any

from rest_framework import serializers

from gateway.kumulos.notifications.answers import DetailAnswer, NotificationAnswer
from gateway.kumulos.notifications.fields import Fields


class NotificationV2Answer(serializers.Serializer[Any]):
    """The created notification."""

    def get_fields(self) -> Fields:
        """Give its one key."""
        return {"notification": NotificationAnswer()}


class DetailV2Answer(serializers.Serializer[Any]):
    """A notification with all its firings."""

    def get_fields(self) -> Fields:
        """Give its one key."""
        return {"notification": DetailAnswer()}
