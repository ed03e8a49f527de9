"""Raw rows of delivery, for operators; nothing here is written by hand."""

from datetime import datetime
from typing import Protocol

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest
from django.utils import timezone

from crm.admin import SegmentAdmin
from crm.errors import DomainError
from crm.models import App, Segment
from crm.segments.rules import parse
from delivery.breaker import close_breakers
from delivery.commands.amend import cancel_notification, pause_sending, resume_sending
from delivery.models import Batch, Breaker, InboxItem, Notification, Occurrence, ProviderCredential
from delivery.outlook import expected_finishes
from delivery.reports import funnel
from delivery.targeting.segments import count


class ReadOnly(admin.ModelAdmin):
    """Rows the engine owns."""

    show_full_result_count = False

    def has_add_permission(self, request: object) -> bool:  # noqa: ARG002 - Django's signature
        """Rows come from asks alone."""
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:  # noqa: ARG002
        """Counters and states are moved by the engine alone."""
        return False

    def has_delete_permission(self, request: object, obj: object = None) -> bool:  # noqa: ARG002
        """What was sent stays told."""
        return False


class Stop(Protocol):
    """A command about one notification."""

    def __call__(self, *, app: App, notification_id: int) -> None:
        """Carry it out; raises where it cannot be done."""
        ...


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    actions = ["pause", "resume", "cancel"]
    list_display = ["id", "app", "source", "lane", "cancelled_at", "created_at"]
    list_filter = ["source", "lane"]
    list_select_related = ["app"]

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Stopping a send takes leave to change one, though no form changes it."""
        return bool(request.user.has_perm("delivery.change_notification"))

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
class OccurrenceAdmin(ReadOnly):
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
class BatchAdmin(ReadOnly):
    list_display = ["id", "occurrence", "transport", "state", "attempts", "lost", "last_reason"]
    list_filter = ["state", "lane"]
    exclude = ["token_ids"]


@admin.register(InboxItem)
class InboxItemAdmin(ReadOnly):
    # ids, because a notification may hold thousands of names
    list_display = ["notification_id", "user", "sent_at", "read_at", "opened_at", "deleted_at"]
    list_select_related = ["user"]


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnly):
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
class BreakerAdmin(ReadOnly):
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
    ordering = [Case(When(state=Breaker.State.CLOSED, then=1), default=0), "-opened_at"]

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Letting pushes flow takes leave to change a breaker, though no form changes it."""
        return bool(request.user.has_perm("delivery.change_breaker"))

    @admin.action(description="Close now, and send what waits", permissions=["close"])
    def close(self, request: HttpRequest, chosen: QuerySet[Breaker]) -> None:
        closed = close_breakers(chosen.order_by())
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
