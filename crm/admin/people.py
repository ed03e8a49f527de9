"""Users, their installs and tokens, and what became of each; registered by `delivery`."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from crm.desk import ReadOnlyDesk
from crm.filters import AppFilter, among
from crm.models import ChannelSubscription, DeviceToken, Event, Install, User
from crm.panels import Panel, link, panel

SHOWN = 50
NEWEST = 20
STATES = [(state.value, state.label.lower()) for state in DeviceToken.State]


def masked(value: str) -> str:
    """Give enough of a token to know it by, and too little to push to it."""
    return f"{value[:6]}…{value[-4:]} ({len(value)} characters)" if len(value) > 16 else "…"


def digest_of(value: str) -> str:
    """Give what stands in for a token in its index."""
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


def install_panel(installs: Sequence[Install]) -> Panel:
    """Give some installs."""
    return panel(
        "Installs",
        "install, system, device, app version, locale, timezone, last active",
        [
            [
                link(i),
                f"{i.os} {i.os_version}".strip(),
                i.device_model,
                i.app_version,
                i.locale,
                i.timezone,
                i.last_active_at,
            ]
            for i in installs
        ],
        note=f"At most {SHOWN}, newest first.",
    )


def token_panel(installs: Sequence[Install]) -> Panel:
    """Give the tokens of some installs, dead ones too: why, and since when."""
    of = {install.pk: install for install in installs}
    tokens = DeviceToken.objects.filter(install__in=of).order_by("-id")[:SHOWN]
    return panel(
        "Tokens",
        "token, install, transport, environment, topic, state, why, since, registered",
        [
            [
                link(t, f"{t.pk}"),
                of[t.install_id].uid,
                t.transport,
                t.environment,
                t.topic,
                t.state if t.enabled else f"{t.state}, switched off",
                t.state_reason,
                t.state_changed_at,
                t.registered_at,
            ]
            for t in tokens
        ],
    )


def channel_panel(user: User | None, installs: Sequence[Install]) -> Panel:
    """Give the channels a user or some installs are in."""
    mine: QuerySet[ChannelSubscription] = ChannelSubscription.objects.none()
    if user is not None:
        mine = ChannelSubscription.objects.filter(user=user)
    theirs = ChannelSubscription.objects.filter(install__in=[i.pk for i in installs])
    found = [
        *mine.select_related("channel")[:SHOWN],
        *theirs.select_related("channel", "install")[:SHOWN],
    ]
    return panel(
        "Channels",
        "channel, joined as, since",
        [[link(s.channel), s.install or "user", s.created_at] for s in found[:SHOWN]],
    )


def event_panel(installs: Sequence[Install]) -> Panel:
    """Give the newest device events of some installs, each walked along its own index entries."""
    if not installs:
        return panel("Device events", "type, install, user, on the device, received", [])
    first, *others = (
        Event.objects.filter(app=i.app_id, install_uid=i.uid).order_by("-id")[:NEWEST]
        for i in installs[:NEWEST]
    )
    found = first.union(*others, all=True).order_by("-id")[:NEWEST] if others else first
    return panel(
        "Device events",
        "type, install, user, on the device, received",
        [[link(e, e.type), e.install_uid, e.user_uid, e.happened_at, e.received_at] for e in found],
        note=f"The newest {NEWEST}.",
    )


class UserAdmin(ReadOnlyDesk):
    list_display = ["uid", "app", "full_name", "email", "anonymous", "last_active_at"]
    search_fields = ["uid", "login", "email", "external_user_id"]
    search_help_text = "the whole uid, login, e-mail or external id"
    exclude = ["password"]
    list_select_related = ["app"]

    def panels(self, request: HttpRequest, row: User) -> Sequence[Panel]:
        """Give their devices, and what those did."""
        del request
        installs = _newest(Install.objects.filter(user=row))
        return [
            install_panel(installs),
            token_panel(installs),
            channel_panel(row, installs),
            event_panel(installs),
        ]


class InstallAdmin(ReadOnlyDesk):
    list_display = ["uid", "app", "user", "os", "app_version", "last_active_at"]
    search_fields = ["uid"]
    search_help_text = "the whole install id, or the uid of its user"
    list_select_related = ["app", "user"]

    def looked_up(self, apps: Sequence[int], term: str) -> Iterator[QuerySet[Any]]:
        """Yield the install of that name, and those of the user of that name."""
        yield from super().looked_up(apps, term)
        users = list(User.objects.filter(app__in=apps, uid=term).values_list("pk", flat=True))
        yield Install.objects.filter(user__in=users)

    def panels(self, request: HttpRequest, row: Install) -> Sequence[Panel]:
        """Give its tokens and channels, and what it did."""
        del request
        return [token_panel([row]), channel_panel(None, [row]), event_panel([row])]


class DeviceTokenAdmin(ReadOnlyDesk):
    list_display = [
        "id",
        "app",
        "transport",
        "environment",
        "topic",
        "state",
        "state_reason",
        "state_changed_at",
    ]
    list_filter = [AppFilter, among("state", STATES)]
    indexed = ["state"]
    search_fields = ["value_digest"]
    search_help_text = "the whole token, or an install id"
    exclude = ["value", "value_digest"]
    readonly_fields = ["value_masked"]
    list_select_related = ["app"]

    def looked_up(self, apps: Sequence[int], term: str) -> Iterator[QuerySet[Any]]:
        """Yield the tokens with this value, found by its digest, and those of an install."""
        rows = DeviceToken.objects.filter(app__in=apps)
        yield rows.filter(value_digest=digest_of(term), value=term)
        installs = list(Install.objects.filter(app__in=apps, uid=term).values_list("pk", flat=True))
        yield rows.filter(install__in=installs)

    @admin.display(description="value")
    def value_masked(self, token: DeviceToken) -> str:
        return masked(token.value)

    def panels(self, request: HttpRequest, row: DeviceToken) -> Sequence[Panel]:
        """Give the install it belongs to."""
        del request
        return [install_panel([row.install])]


@admin.register(Event)
class EventAdmin(ReadOnlyDesk):
    list_display = ["type", "app", "install_uid", "user_uid", "happened_at", "received_at"]
    search_fields = ["install_uid"]
    search_help_text = "the whole install id"
    list_select_related = ["app"]

    def looked_up(self, apps: Sequence[int], term: str) -> Iterator[QuerySet[Any]]:
        """Yield the newest of an install, along the index of those."""
        yield Event.objects.filter(app__in=apps, install_uid=term).order_by("-id")


def _newest(installs: QuerySet[Install]) -> list[Install]:
    return list(installs.order_by("-id")[:SHOWN])
