"""Wire → command: what is said of a channel, and who is named."""

from typing import Any, cast

from crm.commands.channels import ChannelWords
from crm.commands.subscriptions import Subscribers
from gateway.kumulos.channels.fields import ChannelFields, NewChannelFields, SubscribersFields

OURS = {"uuid": "uuid", "name": "name", "showInPortal": "show_in_portal", "meta": "meta"}


def read_new_channel(body: dict[str, Any]) -> ChannelWords:
    """Give what a new channel is called."""
    return channel_words(NewChannelFields.read(body))


def read_channel(body: dict[str, Any]) -> ChannelWords:
    """Give what a channel is called from now on; absent keys keep their value (§6.8)."""
    return channel_words(ChannelFields.read(body))


def read_subscribers(body: dict[str, Any]) -> Subscribers:
    """Give who is named; at least one must be."""
    asked = SubscribersFields.read(body)
    return Subscribers(install_uids=asked.get("installIds", ()), user_uids=asked.get("userIds", ()))


def channel_words(asked: dict[str, Any]) -> ChannelWords:
    """Give the wire's words for a channel in ours."""
    said = {ours: asked[theirs] for theirs, ours in OURS.items() if theirs in asked}
    return cast("ChannelWords", said)
