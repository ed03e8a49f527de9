"""What can be imported: how a record of each kind is read, and how its rows are stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm.commands.imports import (
    InstallRow,
    Row,
    UserRow,
    Words,
    store_channels,
    store_installs,
    store_people,
    store_subscriptions,
)
from crm.models import App
from gateway.kumulos.importing.channels import read_channel, read_subscription
from gateway.kumulos.importing.installs import read_install_row
from gateway.kumulos.importing.record import Record
from gateway.kumulos.importing.users import read_user

Complaints = Mapping[int, Mapping[str, list[str]]]
"""What is wrong with rows that looked well by themselves: reasons by key, by place in the list."""

WORDS = Words(
    user=("k.stats.userAssociated", "k.stats.userAssociationCleared"),
    address=("k.push.deviceUnsubscribed",),
    leave=("k.push.notificationEnablementChanged",),
    consent=("k.inApp.statusUpdated",),
)

WIRE_NAMES = {"channel_uuid": "channelUuid", "install_uid": "installId", "user_uid": "userId"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of record."""

    read: Callable[[Record], Sequence[Row]]
    store: Callable[[App, Sequence[Any]], Complaints]


def _store_people(app: App, rows: Sequence[UserRow | InstallRow]) -> Complaints:
    store_people(
        app,
        users=[row for row in rows if isinstance(row, UserRow)],
        installs=[row for row in rows if isinstance(row, InstallRow)],
        words=WORDS,
    )
    return {}


def _store_installs(app: App, rows: Sequence[InstallRow]) -> Complaints:
    store_installs(app, rows, words=WORDS)
    return {}


def _store_channels(app: App, rows: Sequence[Any]) -> Complaints:
    store_channels(app, rows)
    return {}


def _store_subscriptions(app: App, rows: Sequence[Any]) -> Complaints:
    unknown = store_subscriptions(app, rows)
    return {n: {WIRE_NAMES[field]: ["Is not known."] for field in unknown[n]} for n in unknown}


KINDS: Mapping[str, Kind] = {
    "users": Kind(read=read_user, store=_store_people),
    "installs": Kind(read=read_install_row, store=_store_installs),
    "channels": Kind(read=read_channel, store=_store_channels),
    "subscriptions": Kind(read=read_subscription, store=_store_subscriptions),
}
