"""What a file can bring along, a row each; None is what it does not say.

Tuples, because there are millions of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from crm.commands.installs import RegisterToken, TrackInstall


class UserRow(NamedTuple):
    """A person; `told_at` is the moment at which all this was so."""

    uid: str
    anonymous: bool = False
    attributes: Mapping[str, Any] = {}
    tags: Sequence[str] = ()
    in_app_enabled: bool | None = None
    first_active_at: datetime | None = None
    last_active_at: datetime | None = None
    created_at: datetime | None = None
    told_at: datetime | None = None


class InstallRow(NamedTuple):
    """One app on one device, with its address where that is known; all as of `last_active_at`.

    Without a user it is its anonymous user's.
    """

    uid: str
    said: TrackInstall
    user_uid: str | None = None
    last_active_at: datetime | None = None
    token: RegisterToken | None = None


class ChannelRow(NamedTuple):
    """A channel as it was at `told_at`."""

    uuid: str
    name: str | None = None
    show_in_portal: bool = False
    meta: Mapping[str, Any] | None = None
    created_at: datetime | None = None
    told_at: datetime | None = None


class SubscriptionRow(NamedTuple):
    """Someone in a channel: an install or a user."""

    channel_uuid: str
    install_uid: str | None = None
    user_uid: str | None = None


class Words(NamedTuple):
    """In events of which types a device has its own say: of its user, its address, and so on.

    `leave` is to show notifications, `consent` that to in-app messages.
    """

    user: Sequence[str] = ()
    address: Sequence[str] = ()
    leave: Sequence[str] = ()
    consent: Sequence[str] = ()


NO_WORDS = Words()
Row = UserRow | InstallRow | ChannelRow | SubscriptionRow
