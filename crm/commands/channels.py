"""Channels: what opt-in lists are called. Who is in them is `subscriptions.py`."""

import re
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.errors import Conflict, Invalid, NotFound
from crm.models import App, Channel

INT4 = 2**31 - 1
ID = re.compile(r"[1-9][0-9]{0,9}")
"""How an id is spelled; `007` is a uuid."""

NAMELESS = "A channel shown in the portal needs a name."


class ChannelWords(TypedDict, total=False):
    """What may be said of a channel; what is left out stays as it is."""

    uuid: str
    name: str | None
    show_in_portal: bool
    meta: Mapping[str, Any] | None


class UuidTaken(Conflict):
    """Another channel of the app has this uuid."""

    def __init__(self) -> None:
        # a public client compares the whole text (contracts/kumulos §5.0)
        super().__init__("uuid must be unique")
        self.reasons = {**self.reasons, "uuid": ["must be unique"]}


def find_channel(*, app: App, name: str) -> Channel:
    """Give the channel with this id, else the one with this uuid (contracts/kumulos §6.9)."""
    channels = Channel.objects.filter(app=app)
    number = int(name) if ID.fullmatch(name) else 0
    channel = channels.filter(pk=number).first() if 0 < number <= INT4 else None
    if channel is None and "\0" not in name:
        channel = channels.filter(uuid=name).first()
    if channel is None:
        raise NotFound("No such channel.")
    return channel


@transaction.atomic
def create_channel(*, app: App, **said: Unpack[ChannelWords]) -> Channel:
    """Create a channel nobody is in yet."""
    return _store(Channel(app=app), said)


@transaction.atomic
def change_channel(channel: Channel, **said: Unpack[ChannelWords]) -> Channel:
    """Change what is said and keep the rest; subscriptions stay."""
    known = Channel.objects.select_for_update(no_key=True).filter(pk=channel.pk).first()
    if known is None:
        raise NotFound("No such channel.")
    known.updated_at = timezone.now()
    return _store(known, said)


@transaction.atomic
def delete_channel(channel: Channel) -> None:
    """Delete a channel and its subscriptions; whoever is subscribing just now is waited for."""
    for known in Channel.objects.select_for_update().filter(pk=channel.pk):
        known.delete()


def _store(channel: Channel, said: ChannelWords) -> Channel:
    for name, value in said.items():
        setattr(channel, name, value)
    channel.name = channel.name or None
    if channel.show_in_portal and channel.name is None:
        raise Invalid(NAMELESS, field="name")
    try:
        with transaction.atomic():
            channel.save()
    except IntegrityError as error:
        raise UuidTaken from error
    return channel
