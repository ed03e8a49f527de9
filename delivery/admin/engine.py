"""The engine's own rows: firings, batches, inboxes, breakers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from crm import roles
from crm.desk import ReadOnlyDesk
from crm.filters import AppFilter, among
from crm.models.membership import Role
from crm.panels import Panel, link, panel
from delivery.breaker import close_breakers
from delivery.models import Batch, Breaker, InboxItem, Occurrence
from delivery.models.notification import Lane
from delivery.outlook import expected_finishes

UNKNOWN = "not known yet"
SHOWN = 50


@admin.register(Occurrence)
class OccurrenceAdmin(ReadOnlyDesk):
    app_path = "notification__app"
    by_app = False
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
        "capped",
        "pending",
        "expected_finish",
    ]
    list_filter = [AppFilter, among("state", Occurrence.State.choices)]
    search_fields = ["notification"]
    search_help_text = "the number of a notification"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Occurrence]:
        """Leave unread what may be megabytes."""
        unread = ("message", "audience", "filters", "user_meta", "reporting_meta", "schedule")
        rows = super().get_queryset(request)
        return rows.defer("message", *(f"notification__{name}" for name in unread))

    def looked_up(self, apps: Sequence[int], term: str) -> Any:
        """Yield the firings of a notification."""
        if term.isdecimal():
            yield Occurrence.objects.filter(notification=term, notification__app__in=apps)

    def prepare(self, request: HttpRequest, rows: Sequence[Occurrence]) -> None:
        """Work out when all of them should be done, together."""
        del request
        finishes = expected_finishes(rows, now=timezone.now())
        for row in rows:
            known = row.pk in finishes
            setattr(row, "finish", finishes.get(row.pk) or (UNKNOWN if known else None))  # noqa: B010

    @admin.display(description="expected finish", empty_value="-")
    def expected_finish(self, occurrence: Occurrence) -> str | datetime | None:
        if not hasattr(occurrence, "finish"):
            self.prepare(HttpRequest(), [occurrence])
        finish: str | datetime | None = getattr(occurrence, "finish")  # noqa: B009
        return finish

    def panels(self, request: HttpRequest, row: Occurrence) -> Sequence[Panel]:
        """Give its unfinished batches."""
        del request
        left = Batch.objects.filter(
            occurrence=row, state__in=[Batch.State.WAITING, Batch.State.SENDING]
        )
        return [
            panel(
                "Unfinished batches",
                "batch, transport, topic, state, attempts, next try, why",
                [
                    [
                        link(b, b.pk),
                        b.transport,
                        b.topic,
                        b.state,
                        b.attempts,
                        b.next_attempt_at,
                        b.last_reason,
                    ]
                    for b in left.defer("token_ids")[:SHOWN]
                ],
                note=f"At most {SHOWN}.",
            )
        ]


@admin.register(Batch)
class BatchAdmin(ReadOnlyDesk):
    by_app = False
    list_display = ["id", "occurrence", "transport", "state", "attempts", "lost", "last_reason"]
    list_filter = [
        AppFilter,
        among("state", Batch.State.choices),
        among("lane", Lane.choices),
    ]
    list_select_related = ["occurrence"]
    exclude = ["token_ids"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        """Leave the thousand ids of each unread."""
        return super().get_queryset(request).defer("token_ids", "occurrence__message")


@admin.register(InboxItem)
class InboxItemAdmin(ReadOnlyDesk):
    app_path = "user__app"
    by_app = False
    # ids, because a notification may hold thousands of names
    list_display = ["notification_id", "user", "sent_at", "read_at", "opened_at", "deleted_at"]
    list_select_related = ["user"]
    search_fields = ["user"]
    search_help_text = "the whole uid of a user"

    def looked_up(self, apps: Sequence[int], term: str) -> Any:
        """Yield what waits for a user, along the index by user."""
        yield InboxItem.objects.filter(user__app__in=apps, user__uid=term)


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyDesk):
    app_path = "credential__app"
    by_app = False
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
    list_filter = [AppFilter, among("state", Breaker.State.choices)]
    list_select_related = ["credential"]
    exclude = ["doubted"]
    list_before_template = "crm/panels.html"

    def changelist_view(self, request: HttpRequest, *args: Any, **said: Any) -> HttpResponse:
        """Show those that are open before all others."""
        extra = {**(said.pop("extra_context", None) or {}), "panels": self._open(request)}
        return super().changelist_view(request, *args, extra_context=extra, **said)

    def _open(self, request: HttpRequest) -> Sequence[Panel]:
        """Give the open ones, along the index of those."""
        held = self.get_queryset(request).exclude(state=Breaker.State.CLOSED)
        shown = held.select_related("credential__app").order_by("opened_at")[:SHOWN]
        rows = [
            [
                link(b, b.pk),
                b.credential.app,
                b.credential.get_provider_display(),
                b.environment,
                b.topic,
                b.reason,
                b.opened_at,
                b.next_probe_at,
            ]
            for b in shown
        ]
        headers = "breaker, app, provider, environment, topic, why, since, next probe"
        note = "" if rows else "None is open: pushes flow everywhere."
        return [panel("Open now", headers, rows, note=note)]

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Say whether the operator may let pushes of any app flow."""
        return self.may(request, "close")

    @admin.action(description="Close now, and send what waits", permissions=["close"])
    def close(self, request: HttpRequest, chosen: QuerySet[Breaker]) -> None:
        own = roles.apps_of(request.user, at_least=self.needs["close"])
        closed = close_breakers(chosen.filter(credential__app__in=own).order_by())
        self.message_user(request, f"{closed} closed", messages.SUCCESS)
