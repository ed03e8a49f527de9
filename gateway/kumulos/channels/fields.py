"""The shape of a channel and of its subscribers, key by key (seed 000, "Creating a channel")."""

from collections.abc import Mapping
from typing import Any

from rest_framework.fields import Field

from crm.commands.channels import NAMELESS
from gateway.rest.fields import AnyObject, Flag, Text, Texts, WireObject

Fields = dict[str, Field[Any, Any, Any, Any]]

LONGEST = 255
NOBODY = "Provide installIds or userIds."


class ChannelFields(WireObject):
    """What a channel is called; a new one must say its uuid."""

    new = False

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {
            "uuid": Text(max_length=LONGEST, required=self.new),
            "name": Text(max_length=LONGEST, allow_blank=True, allow_null=True, required=False),
            "showInPortal": Flag(required=False),
            "meta": AnyObject(allow_null=True, required=False),
        }


class NewChannelFields(ChannelFields):
    """A channel to be made."""

    new = True

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Require a name where it would be shown."""
        nameless = data.get("showInPortal") is True and data.get("name") in (None, "")
        return {"name": NAMELESS} if nameless else {}


class SubscribersFields(WireObject):
    """Who is to be in a channel, or no longer."""

    def get_fields(self) -> Fields:
        """Give the keys in their documented order."""
        return {"installIds": Texts(required=False), "userIds": Texts(required=False)}

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Require somebody; a list of the wrong type has its own reason."""
        named = any(data.get(key, []) != [] for key in ("installIds", "userIds"))
        return {} if named else {"installIds": NOBODY}
