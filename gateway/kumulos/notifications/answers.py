"""What answers look like, for the OpenAPI page; `responses.py` makes them."""

from typing import Any

from rest_framework import serializers

from delivery.reports import Standing
from gateway.kumulos.notifications.fields import Fields, ScheduleFields
from gateway.kumulos.notifications.responses import COUNTS


class NotificationAnswer(serializers.Serializer[Any]):
    """The created notification."""

    def get_fields(self) -> Fields:
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


class CountsAnswer(serializers.Serializer[Any]):
    """How many pushes ended how."""

    def get_fields(self) -> Fields:
        """Give a number for each way to end."""
        return {name: serializers.IntegerField() for name in COUNTS}


class AllCountsAnswer(CountsAnswer):
    """The same of a whole notification, and how many installs opened it."""

    def get_fields(self) -> Fields:
        """Add the opens."""
        return {**super().get_fields(), "opened": serializers.IntegerField()}


class ProgressAnswer(NotificationAnswer):
    """A notification and how far it has come."""

    def get_fields(self) -> Fields:
        """Add what the documented object lacks."""
        return {
            **super().get_fields(),
            "state": serializers.ChoiceField(choices=[state.value for state in Standing]),
            "schedule": ScheduleFields(allow_null=True),
            "counts": AllCountsAnswer(),
            "expectedFinishAt": serializers.CharField(allow_null=True),
        }


class OccurrenceAnswer(serializers.Serializer[Any]):
    """One firing of a notification."""

    def get_fields(self) -> Fields:
        """Give where, when and what became of it."""
        return {
            "zone": serializers.CharField(allow_null=True),
            "dueAt": serializers.CharField(),
            "state": serializers.ChoiceField(choices=[state.value for state in Standing]),
            "counts": CountsAnswer(),
            "expectedFinishAt": serializers.CharField(allow_null=True),
        }


class DetailAnswer(ProgressAnswer):
    """A notification with all its firings."""

    def get_fields(self) -> Fields:
        """Add the firings."""
        return {**super().get_fields(), "occurrences": OccurrenceAnswer(many=True)}


class ListAnswer(serializers.Serializer[Any]):
    """One page of notifications."""

    def get_fields(self) -> Fields:
        """Give the notifications and which page of how many they are."""
        return {
            "notifications": ProgressAnswer(many=True),
            "totalNotifications": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }


class InstallOpenAnswer(serializers.Serializer[Any]):
    """One install that opened a notification."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {"installId": serializers.CharField(), "openedAt": serializers.CharField()}


class UserOpenAnswer(serializers.Serializer[Any]):
    """One user who opened a notification."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {"userId": serializers.CharField(), "openedAt": serializers.CharField()}
