"""Domain → wire: a channel as SDKs list it; `uuid` and `subscribed` are never missing."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from crm.commands.subscriptions import Listed


def listed_body(listed: Listed) -> dict[str, Any]:
    """Give one channel and whether the caller is in it."""
    return {
        "uuid": listed.channel.uuid,
        "name": listed.channel.name,
        "subscribed": listed.subscribed,
        "meta": listed.channel.meta,
    }


def list_body(channels: Iterable[Listed]) -> list[dict[str, Any]]:
    """Give a bare array."""
    return [listed_body(listed) for listed in channels]


class ListedAnswer(serializers.Serializer[Any]):
    """A channel as a device sees it, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {
            "uuid": serializers.CharField(),
            "name": serializers.CharField(allow_null=True),
            "subscribed": serializers.BooleanField(),
            "meta": serializers.DictField(allow_null=True),
        }
