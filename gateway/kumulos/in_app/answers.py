"""What answers look like, for the OpenAPI page; `responses.py` makes them."""

from typing import Any

from rest_framework import serializers

from delivery.message import Presented
from delivery.reports import Standing
from gateway.kumulos.notifications.fields import Fields, ScheduleFields


class InAppAnswer(serializers.Serializer[Any]):
    """An in-app message."""

    def get_fields(self) -> Fields:
        """Give the keys in the order of the answer."""
        return {
            "id": serializers.IntegerField(),
            "templateUid": serializers.CharField(),
            "filters": serializers.DictField(),
            "dynamicContent": serializers.DictField(),
            "presentedWhen": serializers.ChoiceField(choices=list(Presented)),
            "inbox": serializers.DictField(allow_null=True),
            "data": serializers.DictField(allow_null=True),
            "badge": serializers.DictField(allow_null=True),
            "expiresAt": serializers.CharField(allow_null=True),
            "schedule": ScheduleFields(allow_null=True),
            "state": serializers.ChoiceField(choices=list(Standing)),
            "updatedAt": serializers.CharField(),
            "createdAt": serializers.CharField(),
            "appId": serializers.IntegerField(),
        }


class InAppCountsAnswer(serializers.Serializer[Any]):
    """How many users have a message, and how many did what with it."""

    def get_fields(self) -> Fields:
        """Give a number for each."""
        kinds = ("sent", "read", "opened", "deleted")
        return {name: serializers.IntegerField() for name in kinds}


class InAppDetailAnswer(InAppAnswer):
    """An in-app message and what users did with it."""

    def get_fields(self) -> Fields:
        """Give the keys in the order of the answer."""
        return {**super().get_fields(), "counts": InAppCountsAnswer()}


class InAppListAnswer(serializers.Serializer[Any]):
    """A page of in-app messages."""

    def get_fields(self) -> Fields:
        """Give the keys in the order of the answer."""
        return {
            "messages": InAppAnswer(many=True),
            "totalMessages": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }
