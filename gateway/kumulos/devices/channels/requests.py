"""Wire → command: who a device speaks for and which channels it names (contracts/kumulos §2.2)."""

from collections.abc import Iterator, Sequence
from typing import Any

from rest_framework.exceptions import ValidationError

from crm.commands.channels import ChannelWords
from crm.commands.subscriptions import Caller
from crm.models import App, User
from gateway.kumulos.channels.fields import Fields, NewChannelFields
from gateway.kumulos.channels.requests import channel_words
from gateway.kumulos.devices.requests import LONGEST_INSTALL_UID, read_install_uid
from gateway.rest.fields import REQUIRED, Text, Texts, WireObject


class UuidsFields(WireObject):
    """Channels by uuid; clearing SDKs leave the key out."""

    def get_fields(self) -> Fields:
        """Give its one key."""
        return {"uuids": Texts(required=False)}


class DeviceChannelFields(NewChannelFields):
    """A channel to be made, and who is to be in it at once."""

    def get_fields(self) -> Fields:
        """Give the keys of a channel, then the caller: native SDKs name a user, web an install."""
        return {
            **super().get_fields(),
            "userIdentifier": Text(max_length=User.UID_LIMIT, allow_null=True, required=False),
            "installId": Text(max_length=LONGEST_INSTALL_UID, allow_null=True, required=False),
        }


def read_install(app: App, uid: str) -> Caller:
    """Give the install a path names."""
    return Caller(app=app, uid=read_install_uid(uid), is_install=True)


def read_user(app: App, uid: str) -> Caller:
    """Give the user a path names; whatever SDKs call one, as long as it can be kept."""
    if len(uid) > User.UID_LIMIT or "\0" in uid:
        raise ValidationError({"userId": [f"Must be 1 to {User.UID_LIMIT} characters."]})
    return Caller(app=app, uid=uid, is_install=False)


def read_uuids(body: dict[str, Any]) -> Sequence[str]:
    """Give the channels to join or leave; at least one."""
    uuids = read_all_uuids(body)
    if not uuids:
        raise ValidationError({"uuids": [REQUIRED]})
    return uuids


def read_all_uuids(body: dict[str, Any]) -> Sequence[str]:
    """Give the channels to be in from now on; none at all is an answer too."""
    uuids: Sequence[str] = UuidsFields.read(body).get("uuids", ())
    return uuids


def read_new_channel(body: dict[str, Any], *, app: App) -> tuple[ChannelWords, list[Caller]]:
    """Give what a new channel is called, and for whom the device wants it."""
    asked = DeviceChannelFields.read(body)
    return channel_words(asked), list(_callers(asked, app))


def _callers(asked: dict[str, Any], app: App) -> Iterator[Caller]:
    if asked.get("installId"):  # before the user: rows are locked in this order
        yield Caller(app=app, uid=asked["installId"], is_install=True)
    if asked.get("userIdentifier"):
        yield Caller(app=app, uid=asked["userIdentifier"], is_install=False)
