"""Wire → command: what is said of a channel, and who is named."""

from typing import Any, cast

from crm.commands.channels import ChannelWords
from crm.commands.subscriptions import Subscribers
from gateway.kumulos.channels.fields import ChannelFields, NewChannelFields, SubscribersFields
from gateway.rest.fields import WireObject

OURS = {"uuid": "uuid", "name": "name", "showInPortal": "show_in_portal", "meta": "meta"}


def read_new_channel(body: dict[str, Any]) -> ChannelWords:
    """Give what a new channel is called."""
    return channel_words(checked(NewChannelFields(data=body)))


def read_channel(body: dict[str, Any]) -> ChannelWords:
    """Give what a channel is called from now on; absent keys keep their value (§6.8)."""
    return channel_words(checked(ChannelFields(data=body)))


def read_subscribers(body: dict[str, Any]) -> Subscribers:
    """Give who is named; at least one must be."""
    asked = checked(SubscribersFields(data=body))
    return Subscribers(install_uids=asked.get("installIds", ()), user_uids=asked.get("userIds", ()))


def channel_words(asked: dict[str, Any]) -> ChannelWords:
    """Give the wire's words for a channel in ours."""
    said = {ours: asked[theirs] for theirs, ours in OURS.items() if theirs in asked}
    return cast("ChannelWords", said)


def checked(fields: WireObject) -> dict[str, Any]:
    """Give the known members of a body, or raise with all that is wrong with it."""
    fields.is_valid(raise_exception=True)
    return dict(fields.validated_data)
