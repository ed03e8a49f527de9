"""Who is in which channel: backends name many at once, a device speaks for itself.

Installs and users subscribe apart (contracts/kumulos §6.13). Rows are locked in one order wherever
several are: installs, users, channels, then subscriptions, each by its key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

from django.db import connection, transaction
from django.db.models import Q

from crm.commands.channels import ChannelWords, create_channel
from crm.commands.installs import recognise_install, recognise_user
from crm.errors import NotFound
from crm.models import App, Channel, ChannelSubscription, User

# KEY SHARE: what is named cannot be deleted before the subscription is committed
INSTALLS = "SELECT uid, id FROM crm_install WHERE app_id = %s AND uid = ANY(%s)"
USERS = "SELECT uid, id FROM crm_user WHERE app_id = %s AND uid = ANY(%s)"
CHANNELS = "SELECT uuid, id FROM crm_channel WHERE app_id = %s AND uuid = ANY(%s)"
CHANNEL = "SELECT id, id FROM crm_channel WHERE app_id = %s AND id = ANY(%s)"
JOINED = """
SELECT uuid, id FROM crm_channel WHERE app_id = %s AND id IN (
    SELECT channel_id FROM crm_channelsubscription WHERE {side}_id = ANY(%s))
"""
HELD = "{} ORDER BY id FOR KEY SHARE"

ADD = """
INSERT INTO crm_channelsubscription (channel_id, {side}_id)
SELECT channel_id, id FROM unnest(%s::int[]) channel_id, unnest(%s::bigint[]) id
 ORDER BY channel_id, id
    ON CONFLICT DO NOTHING
"""
# by place: joined by key, a plan made while there were few rows looks through all of them for each
DROP = """
DELETE FROM crm_channelsubscription WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM crm_channelsubscription
     WHERE channel_id {which}(%s::int[]) AND {side}_id = ANY(%s::bigint[])
     ORDER BY channel_id, {side}_id
       FOR UPDATE))
"""
ONLY, ALL_BUT = "= ANY", "<> ALL"


class Members(NamedTuple):
    """Rows of one side: `install` or `user`."""

    side: str
    ids: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscribers:
    """Installs and users by the names callers have for them."""

    install_uids: Sequence[str] = ()
    user_uids: Sequence[str] = ()


@transaction.atomic
def subscribe(channel: Channel, who: Subscribers) -> None:
    """Put everybody named into the channel, or nobody where one of them is unknown."""
    for members in _members(channel, who):
        _add([channel.pk], members)


@transaction.atomic
def unsubscribe(channel: Channel, who: Subscribers) -> None:
    """Take everybody named out of the channel, or nobody where one of them is unknown."""
    for members in _members(channel, who):
        _drop(ONLY, [channel.pk], members)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whom a device speaks for: its install, or the user it knows; made known by speaking."""

    app: App
    uid: str
    is_install: bool


class Listed(NamedTuple):
    """A channel as one caller sees it."""

    channel: Channel
    subscribed: bool


@transaction.atomic
def list_channels(caller: Caller) -> list[Listed]:
    """Give the app's named channels and the nameless ones the caller is in, oldest first.

    An install is also in the channels its current user is in.
    """
    mine = Q()
    for side, ids in _recognise(caller):
        mine |= Q(**{f"{side}__in": ids})
    rows = ChannelSubscription.objects.filter(mine)
    subscribed = set(rows.values_list("channel_id", flat=True))
    channels = Channel.objects.filter(Q(name__isnull=False) | Q(pk__in=subscribed), app=caller.app)
    return [Listed(it, it.pk in subscribed) for it in channels.order_by("pk")]


@transaction.atomic
def join_channels(caller: Caller, uuids: Sequence[str]) -> None:
    """Put the caller into the channels named, or into none where one of them is unknown."""
    own, *_ = _recognise(caller)
    _add(_channels(caller.app, uuids), own)


@transaction.atomic
def leave_channels(caller: Caller, uuids: Sequence[str]) -> None:
    """Take the caller out of the channels named, or out of none where one of them is unknown.

    An install takes its current user with it: whoever opts out must hear no more.
    """
    everyone = _recognise(caller)
    channels = _channels(caller.app, uuids)
    for members in everyone:
        _drop(ONLY, channels, members)


@transaction.atomic
def replace_channels(caller: Caller, uuids: Sequence[str]) -> None:
    """Leave the caller in exactly the channels named; an install opts its current user out too."""
    own, *others = _recognise(caller)
    channels = _channels(caller.app, uuids)
    for members in (own, *others):  # one deleted just now takes its rows in an order of its own
        _held(JOINED.format(side=members.side), caller.app.pk, members.ids)
    for members in (own, *others):
        _drop(ALL_BUT, channels, members)
    _add(channels, own)


@transaction.atomic
def create_joined_channel(
    *, app: App, callers: Iterable[Caller], **said: Unpack[ChannelWords]
) -> Listed:
    """Create a channel with those in it for whom a device speaks."""
    owns = [_recognise(caller)[0] for caller in callers]
    channel = create_channel(app=app, **said)
    for own in owns:
        _add([channel.pk], own)
    return Listed(channel, subscribed=bool(owns))


def _recognise(caller: Caller) -> list[Members]:
    """Give the caller's own row, locked against its other requests; then its current user's."""
    if caller.is_install:
        install = recognise_install(app=caller.app, uid=caller.uid)
        return [Members("install", [install.pk]), Members("user", [install.user_id])]
    user = recognise_user(app=caller.app, uid=caller.uid)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    return [Members("user", [user.pk])]


def _members(channel: Channel, who: Subscribers) -> list[Members]:
    installs = _held(INSTALLS, channel.app_id, who.install_uids)
    _refuse_unknown("install", "install_uids", who.install_uids, installs)
    users = _held(USERS, channel.app_id, who.user_uids)
    _refuse_unknown("user", "user_uids", who.user_uids, users)
    if not _held(CHANNEL, channel.app_id, [channel.pk]):
        raise NotFound("No such channel.")
    return [Members("install", [*installs.values()]), Members("user", [*users.values()])]


def _channels(app: App, uuids: Sequence[str]) -> list[int]:
    channels = _held(CHANNELS, app.pk, uuids)
    _refuse_unknown("channel", "channel_uuids", uuids, channels)
    return list(channels.values())


def _refuse_unknown(noun: str, field: str, named: Sequence[str], known: dict[Any, int]) -> None:
    unknown = next((one for one in named if one not in known), None)
    if unknown is not None:
        raise NotFound(f"No such {noun}: {unknown}.", field=field)


def _held(query: str, app_id: int, names: Sequence[Any]) -> dict[Any, int]:
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(HELD.format(query), [app_id, list(names)])
        return dict(cursor.fetchall())


def _add(channel_ids: Sequence[int], members: Members) -> None:
    _run(ADD.format(side=members.side), channel_ids, members.ids)


def _drop(which: str, channel_ids: Sequence[int], members: Members) -> None:
    _run(DROP.format(which=which, side=members.side), channel_ids, members.ids)


def _run(statement: str, channel_ids: Sequence[int], ids: Sequence[int]) -> None:
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(statement, [list(channel_ids), list(ids)])
