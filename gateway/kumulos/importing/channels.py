"""A channel, and who is in it → rows (seed 000, "Channels")."""

from crm.commands.imports import ChannelRow, SubscriptionRow
from crm.models import User
from gateway.kumulos.importing.record import Record

LONGEST = 255
NAMELESS = "A channel shown in the portal needs a name."
NOBODY = "Provide installId or userId."


def read_channel(said: Record) -> list[ChannelRow]:
    """Give a channel as `POST /channels` takes it."""
    created, name = said.moment("createdAt"), said.name("name", at_most=LONGEST)
    shown = said.flag("showInPortal") or False
    if shown and name is None:
        said.complain("name", NAMELESS)
    channel = ChannelRow(
        uuid=said.own_name("uuid", at_most=LONGEST),
        name=name,
        show_in_portal=shown,
        meta=said.object("meta"),
        created_at=created,
        told_at=said.moment("updatedAt") or created,
    )
    return [channel]


def read_subscription(said: Record) -> list[SubscriptionRow]:
    """Give who is in a channel: an install, a user, or both, which are two subscriptions."""
    channel = said.own_name("channelUuid", at_most=LONGEST)
    install = said.name("installId", at_most=LONGEST)
    user = said.name("userId", at_most=User.UID_LIMIT)
    rows = []
    if install is not None:
        rows.append(SubscriptionRow(channel, install_uid=install))
    if user is not None:
        rows.append(SubscriptionRow(channel, user_uid=user))
    if said.get("installId") is None and said.get("userId") is None:
        said.complain("installId", NOBODY)
    return rows
