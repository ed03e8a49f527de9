"""Domain → wire: devices read no body, so there is only what the OpenAPI page shows of theirs."""

from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field


class DeviceEventFields(serializers.Serializer[Any]):
    """One event as SDKs send it."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys an event may have."""
        return {
            "type": serializers.CharField(),
            "uuid": serializers.UUIDField(),
            "timestamp": serializers.IntegerField(help_text="ms since 1970 by the device's clock"),
            "data": serializers.DictField(required=False, allow_null=True),
            "userId": serializers.CharField(required=False, allow_null=True),
        }
