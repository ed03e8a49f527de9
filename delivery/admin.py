"""Raw rows of delivery, for operators; nothing here is written by hand."""

from django.contrib import admin
from django.utils import timezone

from crm.admin import SegmentAdmin
from crm.models import Segment
from crm.segments.rules import parse
from delivery.models import Batch, InboxItem, Notification, Occurrence, ProviderCredential
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


@admin.register(Notification)
class NotificationAdmin(ReadOnly):
    list_display = ["id", "app", "source", "lane", "cancelled_at", "created_at"]
    list_filter = ["source", "lane"]
    list_select_related = ["app"]


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
        "pending",
    ]
    list_filter = ["state"]


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
    list_display = ["app", "provider", "kind", "environment", "topic", "suspended_reason"]
    exclude = ["sealed"]
    list_select_related = ["app"]


@admin.register(Segment)
class CountedSegmentAdmin(SegmentAdmin):
    readonly_fields = [*SegmentAdmin.readonly_fields, "counts"]

    @admin.display(description="how many now")
    def counts(self, segment: Segment) -> str:
        if not segment.pk:
            return "-"
        found = count(parse(segment.rule), app_id=segment.app_id, now=timezone.now())
        return ", ".join(f"{number:,} {what}" for what, number in found._asdict().items())
