"""Raw rows of delivery, for operators; nothing here is written by hand."""

from datetime import datetime
from typing import Protocol

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from crm import roles
from crm.admin import SegmentAdmin
from crm.desk import ReadOnlyDesk
from crm.errors import DomainError
from crm.models import App, Segment
from crm.models.membership import Role
from crm.segments.rules import parse
from delivery.breaker import close_breakers
from delivery.commands.amend import cancel_notification, pause_sending, resume_sending
from delivery.models import Batch, Breaker, InboxItem, Notification, Occurrence, ProviderCredential
from delivery.outlook import expected_finishes
from delivery.reports import funnel
from delivery.targeting.segments import count
from delivery.webhook_admin import WebhookAdmin, WebhookDeliveryAdmin

__all__ = ["WebhookAdmin", "WebhookDeliveryAdmin"]  # found by Django here


class Stop(Protocol):
    """A command about one notification."""

    def __call__(self, *, app: App, notification_id: int) -> None:
        """Carry it out; raises where it cannot be done."""
        ...


@admin.register(Notification)
class NotificationAdmin(ReadOnlyDesk):
    needs = {**ReadOnlyDesk.needs, "send": Role.SENDER}
    actions = ["pause", "resume", "cancel"]
    list_display = ["watched", "name", "app", "source", "operator", "lane", "created_at"]
    list_display_links = None
    list_filter = ["source", "lane"]
    list_select_related = ["app"]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may stop sends of any app; each is asked about again."""
        return self.may(request, "send")

    @admin.display(description="id")
    def watched(self, notification: Notification) -> str:
        address = reverse("admin:send", args=[notification.pk])
        return format_html('<a class="font-semibold" href="{}">{}</a>', address, notification.pk)

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


def _funnel_said(notification: Notification) -> str:
    counts = funnel(notification)
    return f"{counts.accepted:,} of {counts.targeted:,} have it, {counts.pending:,} are pending"


@admin.register(Occurrence)
class OccurrenceAdmin(ReadOnlyDesk):
    app_path = "notification__app"
    list_select_related = ["notification"]
    list_display = [
        "id",
        "notification",
        "due_at",
        "state",
        "targeted",
        "accepted",
        "rejected",
        "unregistered",
        "uncertain",
        "expired",
        "cancelled",
        "pending",
        "expected_finish",
    ]
    list_filter = ["state"]

    @admin.display(description="expected finish", empty_value="-")
    def expected_finish(self, occurrence: Occurrence) -> str | datetime | None:
        finishes = expected_finishes([occurrence], now=timezone.now())
        return finishes.get(occurrence.pk, None) or (UNKNOWN if finishes else None)


UNKNOWN = "not known yet"


@admin.register(Batch)
class BatchAdmin(ReadOnlyDesk):
    list_display = ["id", "occurrence", "transport", "state", "attempts", "lost", "last_reason"]
    list_filter = ["state", "lane"]
    exclude = ["token_ids"]


@admin.register(InboxItem)
class InboxItemAdmin(ReadOnlyDesk):
    app_path = "user__app"
    # ids, because a notification may hold thousands of names
    list_display = ["notification_id", "user", "sent_at", "read_at", "opened_at", "deleted_at"]
    list_select_related = ["user"]


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnlyDesk):
    list_display = ["app", "provider", "kind", "environment", "topic", "pace", "breakers"]
    exclude = ["sealed"]
    list_select_related = ["app"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderCredential]:
        """Read what is shown beside each in one query for all."""
        return super().get_queryset(request).prefetch_related("breakers")

    @admin.display(description="why it rests")
    def breakers(self, credential: ProviderCredential) -> str:
        said = (b.reason for b in credential.breakers.all() if b.state != Breaker.State.CLOSED)
        return ", ".join(dict.fromkeys(said)) or "-"


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyDesk):
    app_path = "credential__app"
    needs = {**ReadOnlyDesk.needs, "close": Role.ADMIN}
    actions = ["close"]
    list_display = [
        "credential",
        "environment",
        "topic",
        "state",
        "reason",
        "opened_at",
        "next_probe_at",
        "failed_probes",
        "worked_at",
    ]
    list_filter = ["state"]
    list_select_related = ["credential"]

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may let pushes of any app flow."""
        return self.may(request, "close")

    @admin.action(description="Close now, and send what waits", permissions=["close"])
    def close(self, request: HttpRequest, chosen: QuerySet[Breaker]) -> None:
        own = roles.apps_of(request.user, at_least=self.needs["close"])
        closed = close_breakers(chosen.filter(credential__app__in=own).order_by())
        self.message_user(request, f"{closed} closed", messages.SUCCESS)


@admin.register(Segment)
class CountedSegmentAdmin(SegmentAdmin):
    readonly_fields = [*SegmentAdmin.readonly_fields, "counts"]

    @admin.display(description="how many now")
    def counts(self, segment: Segment) -> str:
        if not segment.pk:
            return "-"
        found = count(parse(segment.rule), app_id=segment.app_id, now=timezone.now())
        return ", ".join(f"{number:,} {what}" for what, number in found._asdict().items())
