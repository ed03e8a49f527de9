"""What is asked and answered, for the OpenAPI page; `requests.py` and `responses.py` do it."""

from typing import Any

from rest_framework import serializers

from gateway.connectycube.channels import TRANSPORTS
from gateway.connectycube.environments import OURS
from gateway.connectycube.subscriptions.requests import PLATFORMS


class PushTokenFields(serializers.Serializer[Any]):
    """The address; a web page's has three members of its own."""

    environment = serializers.ChoiceField(list(OURS))
    client_identification_sequence = serializers.CharField(required=False)
    bundle_identifier = serializers.CharField(required=False)
    web_endpoint = serializers.URLField(required=False)
    web_auth = serializers.CharField(required=False)
    web_p256dh = serializers.CharField(required=False)


class DeviceFields(serializers.Serializer[Any]):
    """The device."""

    platform = serializers.ChoiceField(list(PLATFORMS))
    udid = serializers.CharField()


class SubscriptionFields(serializers.Serializer[Any]):
    """What subscribes a device."""

    notification_channel = serializers.ChoiceField(list(TRANSPORTS))
    push_token = PushTokenFields()
    device = DeviceFields()


class NamedAnswer(serializers.Serializer[Any]):
    """Something with a name."""

    name = serializers.CharField()


class DeviceAnswer(serializers.Serializer[Any]):
    """The device of a subscription."""

    udid = serializers.CharField()
    platform = NamedAnswer()


class SubscriptionObject(serializers.Serializer[Any]):
    """A subscription."""

    id = serializers.IntegerField()
    notification_channel = NamedAnswer()
    device = DeviceAnswer()
    user_id = serializers.IntegerField()
    bundle_identifier = serializers.CharField(allow_null=True)
    client_identification_sequence = serializers.CharField()
    environment = serializers.CharField()
    udid = serializers.CharField()


class SubscriptionAnswer(serializers.Serializer[Any]):
    """The envelope of a subscription."""

    subscription = SubscriptionObject()
