"""Domain → wire: a channel as backends see it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from crm.models import Channel


def channel_body(channel: Channel) -> dict[str, Any]:
    """Give a channel in the documented order."""
    return {
        "appId": channel.app_id,
        "uuid": channel.uuid,
        "name": channel.name,
        "showInPortal": channel.show_in_portal,
        "meta": channel.meta,
        "updatedAt": _bare(channel.updated_at),
        "createdAt": _bare(channel.created_at),
        "id": channel.pk,
    }


def channels_body(channels: Iterable[Channel], *, total: int, page: int) -> dict[str, Any]:
    """Give one page of an app's channels."""
    return {
        "channels": [channel_body(channel) for channel in channels],
        "totalChannels": total,
        "currentPage": page,
    }


def _bare(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


class ChannelAnswer(serializers.Serializer[Any]):
    """A channel, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {
            "appId": serializers.IntegerField(),
            "uuid": serializers.CharField(),
            "name": serializers.CharField(allow_null=True),
            "showInPortal": serializers.BooleanField(),
            "meta": serializers.DictField(allow_null=True),
            "updatedAt": serializers.CharField(),
            "createdAt": serializers.CharField(),
            "id": serializers.IntegerField(),
        }


class ChannelsAnswer(serializers.Serializer[Any]):
    """A page of channels, for the OpenAPI page."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their order."""
        return {
            "channels": ChannelAnswer(many=True),
            "totalChannels": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }
