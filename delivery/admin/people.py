"""People and devices, with what they were sent."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string

from crm.admin import DeviceTokenAdmin, InstallAdmin, UserAdmin
from crm.models import DeviceToken, Install, User
from crm.panels import Panel, link, panel
from delivery.history import FIRINGS, lately_opened, lately_sent
from delivery.models import InboxItem, Notification

SHOWN = 20
RECENT = f"Of the app's newest {FIRINGS} firings."


def sent_panel(request: HttpRequest, tokens: Sequence[int], *, app_id: int) -> Panel:
    """Give the recent pushes to some tokens; with `?day=` all of a day."""
    day = _asked_day(request)
    received = lately_sent(tokens, app_id=app_id, day=day)
    return panel(
        "Recent pushes",
        "notification, token, verdict, reason, provider's name for it, at",
        [
            [_to(r.notification_id), r.token_id, r.verdict, r.reason, r.provider_id, r.at]
            for r in received
        ],
        note=RECENT if day is None else f"All that were due on {day}.",
        more=render_to_string("crm/ask_day.html", {"day": day}, request),
    )


def open_panel(installs: Sequence[int]) -> Panel:
    """Give what was opened lately."""
    return panel(
        "Opens",
        "notification, install, user, at",
        [
            [_to(o.notification_id), o.install, o.user_uid, o.opened_at]
            for o in lately_opened(installs)
        ],
    )


def inbox_panel(user: User) -> Panel:
    """Give the newest in-app messages of a user, along the index by user and change."""
    items = InboxItem.objects.filter(user=user).order_by("-updated_at")[:SHOWN]
    return panel(
        "Inbox",
        "notification, sent, read, opened, deleted",
        [[_to(i.notification_id), i.sent_at, i.read_at, i.opened_at, i.deleted_at] for i in items],
    )


def _to(notification_id: int) -> Any:
    return link(Notification(pk=notification_id), f"#{notification_id}")


def _asked_day(request: HttpRequest) -> date | None:
    try:
        return date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return None


def _tokens(installs: Sequence[int]) -> list[int]:
    tokens = DeviceToken.objects.filter(install__in=list(installs)).order_by("-id")
    return list(tokens.values_list("pk", flat=True)[:SHOWN])


@admin.register(User)
class UserHistoryAdmin(UserAdmin):
    def panels(self, request: HttpRequest, row: User) -> Sequence[Panel]:
        """Give their devices, and what those were sent and did."""
        newest = Install.objects.filter(user=row).order_by("-id")
        installs = list(newest.values_list("pk", flat=True)[:SHOWN])
        return [
            *super().panels(request, row),
            sent_panel(request, _tokens(installs), app_id=row.app_id),
            open_panel(installs),
            inbox_panel(row),
        ]


@admin.register(Install)
class InstallHistoryAdmin(InstallAdmin):
    def panels(self, request: HttpRequest, row: Install) -> Sequence[Panel]:
        """Give its tokens, and what it was sent and did."""
        return [
            *super().panels(request, row),
            sent_panel(request, _tokens([row.pk]), app_id=row.app_id),
            open_panel([row.pk]),
        ]


@admin.register(DeviceToken)
class TokenHistoryAdmin(DeviceTokenAdmin):
    def panels(self, request: HttpRequest, row: DeviceToken) -> Sequence[Panel]:
        """Give its install, and what it was sent."""
        return [
            *super().panels(request, row),
            sent_panel(request, [row.pk], app_id=row.app_id),
        ]
