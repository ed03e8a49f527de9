"""Notifications: where each stands, what became of its pushes, and what stops it."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter

from crm import clock
from crm.desk import ReadOnlyDesk
from crm.errors import DomainError
from crm.filters import AppFilter, among
from crm.models import App
from crm.models.membership import Role
from crm.panels import Panel, link, panel
from delivery.commands.amend import cancel_notification, pause_sending, resume_sending
from delivery.models import Notification, Occurrence
from delivery.models.notification import ASKED
from delivery.reports import UNREAD, Funnel, Standing, funnel, standings

SHOWN = 50


class Stop(Protocol):
    """A command about one notification."""

    def __call__(self, *, app: App, notification_id: int) -> None:
        """Carry it out; raises where it cannot be done."""
        ...


class StandingFilter(DropdownFilter):
    """Where a notification stands, told by its firings."""

    title = parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        del request, model_admin
        return [
            ("sending", "sending or paused"),
            ("scheduled", "has a firing ahead"),
            ("cancelled", "cancelled"),
            ("over", "over"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        del request
        match self.value():
            case "sending":
                return queryset.filter(pk__in=_firing(*Occurrence.UNDER_WAY))
            case "scheduled":
                return queryset.filter(pk__in=_firing(Occurrence.State.DUE))
            case "cancelled":
                return queryset.filter(cancelled_at__isnull=False)
            case "over":
                unfinished = _firing(*Occurrence.UNDER_WAY, Occurrence.State.DUE)
                return queryset.filter(cancelled_at=None).exclude(pk__in=unfinished)
        return queryset


def _firing(*states: str) -> QuerySet[Any, Any]:
    """Give whose firings are in these states, each looked up in its own index of the unfinished."""
    first, *others = (
        Occurrence.objects.filter(state=state).order_by().values("notification") for state in states
    )
    return first.union(*others, all=True) if others else first


@admin.register(Notification)
class NotificationAdmin(ReadOnlyDesk):
    needs = {**ReadOnlyDesk.needs, "send": Role.SENDER}
    actions = ["pause", "resume", "cancel"]
    list_display = [
        "title",
        "id",
        "app",
        "source",
        "operator",
        "lane",
        "standing",
        "targeted",
        "accepted",
        "failed",
        "pending",
        "created_at",
    ]
    list_display_links = ["id"]
    list_filter = [
        AppFilter,
        among("source", Notification.Source.choices),
        among("lane", ASKED),
        StandingFilter,
    ]
    search_fields = ["id"]
    search_help_text = "the number of a notification"
    list_select_related = ["app"]
    exclude = ["filters", "user_meta", "audience", "author"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """Leave unread what may be megabytes."""
        return super().get_queryset(request).defer(*UNREAD, "filters")

    def looked_up(self, apps: Sequence[int], term: str) -> Iterator[QuerySet[Any]]:
        """Yield the notification of this number."""
        number = term.removeprefix("#")
        if number.isdecimal():
            yield Notification.objects.filter(app__in=apps, pk=number)

    def prepare(self, request: HttpRequest, rows: Sequence[Notification]) -> None:
        """Read where all of them stand in one query."""
        del request
        told = standings(rows, now=clock.now())
        for row in rows:
            setattr(row, "told", told[row.pk])  # noqa: B010 - no column of it

    @admin.display(description="title")
    def title(self, row: Notification) -> str:
        """Lead to the page that watches a send; an in-app message has none."""
        if row.kind != Notification.Kind.PUSH:
            return _title(row)
        address = reverse("admin:send", args=[row.pk])
        return format_html('<a class="font-semibold" href="{}">{}</a>', address, _title(row))

    @admin.display(description="standing")
    def standing(self, row: Notification) -> str:
        return str(_told(row)[0].value)

    @admin.display(description="targeted")
    def targeted(self, row: Notification) -> str:
        return f"{_told(row)[1].targeted:,}"

    @admin.display(description="accepted")
    def accepted(self, row: Notification) -> str:
        return f"{_told(row)[1].accepted:,}"

    @admin.display(description="not accepted")
    def failed(self, row: Notification) -> str:
        counts = _told(row)[1]
        return f"{counts.targeted - counts.accepted - counts.pending:,}"

    @admin.display(description="pending")
    def pending(self, row: Notification) -> str:
        return f"{_told(row)[1].pending:,}"

    def panels(self, request: HttpRequest, row: Notification) -> Sequence[Panel]:
        """Give its firings, newest first."""
        del request
        firings = Occurrence.objects.filter(notification=row).order_by("-due_at")[:SHOWN]
        return [
            panel(
                "Firings",
                "firing, due, zone, state, targeted, accepted, rejected, unregistered, expired,"
                " cancelled, capped, uncertain, pending",
                [
                    [
                        link(o, o.pk),
                        o.due_at,
                        o.zone or "everywhere",
                        o.state,
                        *(f"{n:,}" for n in (o.targeted, o.accepted, o.rejected, o.unregistered)),
                        *(f"{n:,}" for n in (o.expired, o.cancelled, o.capped, o.uncertain)),
                        f"{o.pending:,}",
                    ]
                    for o in firings
                ],
                note=f"At most {SHOWN}.",
            )
        ]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may stop sends of any app; each is asked about again."""
        return self.may(request, "send")

    @admin.action(description="Pause what is under way", permissions=["send"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Notification]) -> None:
        self._each(request, chosen, pause_sending)

    @admin.action(description="Resume what is paused", permissions=["send"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Notification]) -> None:
        self._each(request, chosen, resume_sending)

    @admin.action(description="Cancel what has not been sent", permissions=["send"])
    def cancel(self, request: HttpRequest, chosen: QuerySet[Notification]) -> None:
        self._each(request, chosen, cancel_notification)

    def _each(self, request: HttpRequest, chosen: QuerySet[Notification], stop: Stop) -> None:
        """Do it to each, and say of each what came of it."""
        for notification in chosen.select_related("app"):
            if not self.may(request, "send", notification):
                self.message_user(request, f"{notification}: not yours to stop", messages.ERROR)
                continue
            try:
                stop(app=notification.app, notification_id=notification.pk)
            except DomainError as refusal:
                self.message_user(request, f"{notification}: {refusal}", messages.WARNING)
            else:
                told = _funnel_said(notification)
                self.message_user(request, f"{notification}: done; {told}", messages.SUCCESS)


def _told(row: Notification) -> tuple[Standing, Funnel]:
    told: tuple[Standing, Funnel] = getattr(row, "told")  # noqa: B009 - `prepare` put it there
    return told


def _title(row: Notification) -> str:
    said = row.message if isinstance(row.message, dict) else {}
    words = row.name or said.get("title") or said.get("body") or row.get_kind_display()
    return f"{words}"[:80]


def _funnel_said(notification: Notification) -> str:
    counts = funnel(notification)
    return f"{counts.accepted:,} of {counts.targeted:,} have it, {counts.pending:,} are pending"
