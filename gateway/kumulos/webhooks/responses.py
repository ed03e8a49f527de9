"""Domain → wire: webhooks, how they are doing, and events as receivers see them."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from delivery.models import Webhook
from delivery.webhooks.events import Page, Position
from gateway.kumulos.moments import spell, spell_any

Fields = dict[str, Field[Any, Any, Any, Any]]


def webhook_body(webhook: Webhook) -> dict[str, Any]:
    """Give one webhook; its secrets are shown nowhere."""
    return {
        "id": webhook.pk,
        "url": webhook.url,
        "types": webhook.topics,
        "active": webhook.active,
        "stoppedBecause": webhook.stopped_because or None,
        "lastTakenAt": spell_any(webhook.last_ok_at),
        "createdAt": spell(webhook.created_at),
    }


def webhooks_body(webhooks: Iterable[Webhook]) -> dict[str, Any]:
    """Give all of an app's."""
    return {"webhooks": [webhook_body(webhook) for webhook in webhooks]}


def events_body(page: Page, *, after: Position) -> dict[str, Any]:
    """Give a page of events, and the cursor to ask for the next with."""
    return {
        "events": [event.as_json() for event in page.events],
        "next": str(page.end or after),
        "more": page.end is not None,
    }


class WebhookAnswer(serializers.Serializer[Any]):
    """One webhook, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their order."""
        return {
            "id": serializers.IntegerField(),
            "url": serializers.CharField(),
            "types": serializers.ListField(child=serializers.CharField()),
            "active": serializers.BooleanField(),
            "stoppedBecause": serializers.CharField(allow_null=True),
            "lastTakenAt": serializers.CharField(allow_null=True),
            "createdAt": serializers.CharField(),
        }


class WebhooksAnswer(serializers.Serializer[Any]):
    """All webhooks, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the one key."""
        return {"webhooks": WebhookAnswer(many=True)}


class WebhookEventAnswer(serializers.Serializer[Any]):
    """One event, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys a receiver sees."""
        return {
            "id": serializers.CharField(),
            "type": serializers.CharField(),
            "timestamp": serializers.CharField(),
            "data": serializers.DictField(),
        }


class WebhookEventsAnswer(serializers.Serializer[Any]):
    """One page of events, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their order."""
        return {
            "events": WebhookEventAnswer(many=True),
            "next": serializers.CharField(),
            "more": serializers.BooleanField(),
        }
