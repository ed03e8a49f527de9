"""What is asked and answered, for the OpenAPI page; `requests.py` and `responses.py` do it."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from gateway.connectycube.environments import OURS
from gateway.connectycube.events.timing import PERIODS, EventType
from gateway.connectycube.message_codec import Channel
from gateway.connectycube.subscriptions.answers import NamedAnswer

Fields = dict[str, Field[Any, Any, Any, Any]]


class TagFields(serializers.Serializer[Any]):
    """Tags, as a comma list or an array."""

    def get_fields(self) -> Fields:
        """Give the three ways to ask for tags."""
        return {word: serializers.CharField(required=False) for word in ("any", "all", "exclude")}


class UserTargetFields(serializers.Serializer[Any]):
    """Users by id or by tags."""

    ids = serializers.CharField(required=False)
    tags = TagFields(required=False)


class ExternalTargetFields(serializers.Serializer[Any]):
    """Users by the caller's own ids."""

    ids = serializers.CharField(required=False)


class NewEventFields(serializers.Serializer[Any]):
    """A new event."""

    notification_type = serializers.ChoiceField(["push"])
    push_type = serializers.ChoiceField([*Channel, "fcm"], required=False)
    environment = serializers.ChoiceField(list(OURS))
    event_type = serializers.ChoiceField(list(EventType), required=False)
    message = serializers.CharField()
    user = UserTargetFields(required=False)
    external_user = ExternalTargetFields(required=False)
    date = serializers.IntegerField(required=False)
    end_date = serializers.IntegerField(required=False)
    period = serializers.ChoiceField(list(PERIODS), required=False)
    name = serializers.CharField(required=False, max_length=255)
    ttl = serializers.IntegerField(required=False, min_value=0, max_value=2419200)


class EventFields(serializers.Serializer[Any]):
    """The envelope of a new event."""

    event = NewEventFields()


class ChangedEventFields(serializers.Serializer[Any]):
    """What may change of an event."""

    active = serializers.BooleanField(required=False)
    message = serializers.CharField(required=False)
    date = serializers.IntegerField(required=False)
    end_date = serializers.IntegerField(required=False)
    period = serializers.ChoiceField(list(PERIODS), required=False)
    name = serializers.CharField(required=False, max_length=255)


class EventChangeFields(serializers.Serializer[Any]):
    """The envelope of a change."""

    event = ChangedEventFields()


class EventObject(serializers.Serializer[Any]):
    """An event."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "id": serializers.IntegerField(),
            "event_type": serializers.CharField(),
            "message": serializers.CharField(),
            "date": serializers.IntegerField(allow_null=True),
            "period": serializers.IntegerField(allow_null=True),
            "name": serializers.CharField(allow_null=True),
            "occured_count": serializers.IntegerField(),
            "created_at": serializers.CharField(),
            "updated_at": serializers.CharField(),
            "end_date": serializers.IntegerField(allow_null=True),
            "active": serializers.BooleanField(),
            "application_id": serializers.IntegerField(),
            "user_id": serializers.IntegerField(allow_null=True),
            "kind": serializers.CharField(),
            "environment": serializers.CharField(),
            "tag_query": serializers.CharField(allow_null=True),
            "notification_channel": NamedAnswer(),
        }


class EventAnswer(serializers.Serializer[Any]):
    """The envelope of an event."""

    event = EventObject()


class EventsAnswer(serializers.Serializer[Any]):
    """One page of events."""

    current_page = serializers.IntegerField()
    per_page = serializers.IntegerField()
    total_entries = serializers.IntegerField()
    items = EventAnswer(many=True)
