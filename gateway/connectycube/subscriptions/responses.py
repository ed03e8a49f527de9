"""Domain → wire: a subscription is one of our device tokens."""

from collections.abc import Iterable
from typing import Any

from crm.models import DeviceToken
from gateway.connectycube.channels import NAMES
from gateway.connectycube.environments import THEIRS

BY_OS = {"iOS": "ios", "Android": "android"}


def subscriptions_body(tokens: Iterable[DeviceToken]) -> list[dict[str, Any]]:
    """Give rows in their order; what this dialect has no channel for is none of them."""
    return [
        {"subscription": subscription_object(token)} for token in tokens if token.transport in NAMES
    ]


def subscription_object(token: DeviceToken) -> dict[str, Any]:
    """Give the documented members first, then those production adds."""
    install = token.install
    udid = install.details.get("udid", install.uid)
    platform = install.details.get("platform") or BY_OS.get(install.os, "web")
    return {
        "id": token.pk,
        "notification_channel": {"name": NAMES[token.transport]},
        "device": {"udid": udid, "platform": {"name": platform}},
        "user_id": install.user_id,
        "bundle_identifier": token.topic or None,
        "client_identification_sequence": token.value,
        "environment": THEIRS[token.environment],
        "udid": udid,
    }
