"""The audit log as people read it: narrowed down, page by page, and as a file."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter

from crm import roles
from crm.desk import ReadOnlyDesk, Rows
from crm.keyset import Scope
from crm.models import App, AuditEntry
from crm.models.membership import Role
from gateway.console.spreadsheet import csv_line

CHUNK = 1000

COLUMNS = (
    "id",
    "at",
    "via",
    "actor",
    "app_id",
    "action",
    "kind",
    "object_id",
    "object_name",
    "changes",
    "request_id",
    "address",
)

DIFF = """
<table class="audit-diff"><tr><th></th><th>before</th><th>after</th></tr>{}</table>
"""

FEW = 3
"""Changes a line of the list has room for."""


class OfApp(admin.SimpleListFilter):
    """One of the operator's own apps."""

    title, parameter_name = "app", "app"

    def lookups(self, request: HttpRequest, desk: Any) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """Give the apps whose log the operator may read."""
        own = roles.apps_of(request.user, at_least=Role.ADMIN)
        return [(str(app.pk), str(app)) for app in App.objects.filter(pk__in=own).order_by("name")]

    def queryset(self, request: HttpRequest, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Narrow the list down."""
        del request
        said = self.value() or ""
        return entries.filter(app=int(said)) if said.isdecimal() else entries


class OfKind(admin.SimpleListFilter):
    """What was changed."""

    title, parameter_name = "object", "kind"

    def lookups(self, request: HttpRequest, desk: Any) -> Iterable[tuple[str, str]]:  # noqa: ARG002
        """Give the kinds of object that are audited."""
        return sorted(KINDS.items(), key=lambda kind: kind[1])

    def queryset(self, request: HttpRequest, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Narrow the list down."""
        del request
        return entries.filter(kind=self.value()) if self.value() else entries


KINDS = {
    "auth.user": "operator",
    "crm.app": "app",
    "crm.appkey": "app key",
    "crm.channel": "channel",
    "crm.devicetoken": "device token",
    "crm.install": "install",
    "crm.membership": "membership",
    "crm.segment": "segment",
    "crm.user": "user",
    "delivery.breaker": "breaker",
    "delivery.notification": "notification",
    "delivery.occurrence": "firing",
    "delivery.providercredential": "provider credential",
    "delivery.webhook": "webhook",
    "delivery.webhooksecret": "webhook secret",
    "mfa.authenticator": "second factor",
    "templates_app.template": "template",
}
"""Every kind of object with a trigger, by what people call it."""


class Within(RangeDateTimeFilter):
    """From a moment to another, in UTC; a date alone is its midnight."""

    def queryset(self, request: HttpRequest, entries: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        """Narrow the list down; what is no moment is no bound."""
        del request
        for bound, lookup in (("from", "at__gte"), ("to", "at__lte")):
            day = self.used_parameters.get(f"at_{bound}_0") or ""
            hour = self.used_parameters.get(f"at_{bound}_1") or "00:00"
            try:
                moment = datetime.fromisoformat(f"{day}T{hour}").replace(tzinfo=UTC)
            except ValueError:
                continue
            entries = entries.filter(**{lookup: moment})
        return entries


class AuditDesk(ReadOnlyDesk):
    """Every change, newest first; an app's admins read what happened in it, superusers all."""

    needs: ClassVar = {**ReadOnlyDesk.needs, "view": Role.ADMIN}
    list_display = ["at", "actor", "action", "thing", "app_name", "summary"]
    list_display_links = ["at"]
    list_select_related = ["app"]
    list_filter = [OfApp, OfKind, "action", "via", ("at", Within)]
    list_filter_submit = True
    search_fields = ["actor", "object_name", "object_id", "request_id"]
    search_help_text = "an operator, an object's name or id, a request's id: whole"
    fields = ["at", "actor", "via", "app_name", "action", "thing", "diff", "request_id", "address"]
    readonly_fields = fields
    change_list_template = "console/audit_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """Give what the operator may read."""
        entries = AuditEntry.objects.select_related("app")
        if getattr(request.user, "is_superuser", False):
            return entries
        return entries.filter(app__in=roles.apps_of(request.user, at_least=self.needs["view"]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Keep the entries with the whole term in a searched column: all of them, also of no app.

        A file of what is found has to have every line, and not all these columns have an index.
        """
        del request
        term = search_term.strip()
        if not term:
            return queryset, False
        if "\0" in term:
            return queryset.none(), False
        asked = reduce(or_, (Q(**{name: term}) for name in self.search_fields))
        return queryset.filter(asked), False

    def scope_of(self, request: HttpRequest, rows: Rows) -> Scope:
        """Look through the log stretch by stretch where a word is searched."""
        return Scope(indexed=False) if rows.query else super().scope_of(request, rows)

    def may(self, request: HttpRequest, deed: str, row: Model | None = None) -> bool:
        """Say whether the operator may read an entry; of no app are operators and their doings."""
        own = getattr(request.user, "is_superuser", False)
        return bool(own and request.user.is_active) or super().may(request, deed, row)

    def app_of(self, row: Any) -> int:
        """Give the app an entry is about; 0, of which nobody is admin, where it is of none."""
        return row.app_id or 0

    def get_urls(self) -> list[URLPattern]:
        """Give the pages, and the file."""
        export = self.admin_site.admin_view(self.export)
        own = [path("export.csv", export, name="crm_auditentry_export")]
        return [*own, *super().get_urls()]

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """Give what the list is narrowed down to as CSV, read and sent piece by piece."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.get_changelist_instance(request).queryset
        answer = StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8")
        name = f"audit-{timezone.now():%Y-%m-%d}.csv"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    @admin.display(description="app", empty_value="-")
    def app_name(self, entry: AuditEntry) -> str | None:
        """Name the app, also one that is gone."""
        if entry.app_id is None:
            return None
        return entry.app.name if entry.app else f"app {entry.app_id}, deleted"

    @admin.display(description="what")
    def thing(self, entry: AuditEntry) -> str:
        """Name the object."""
        kind = KINDS.get(entry.kind, entry.kind)
        return f"{kind} {entry.object_name or entry.object_id}".strip()

    @admin.display(description="changes")
    def summary(self, entry: AuditEntry) -> str:
        """Tell the first few changes on a line."""
        if entry.action != AuditEntry.Action.CHANGED:
            return ", ".join(str(new) for _, new in list(entry.changes.values())[:FEW] if new)[:80]
        told = [f"{name}: {_said(old)} → {_said(new)}" for name, (old, new) in _pairs(entry)[:FEW]]
        more = len(entry.changes) - FEW
        return "; ".join(told) + (f"; {more} more" if more > 0 else "")

    @admin.display(description="changes")
    def diff(self, entry: AuditEntry) -> SafeString:
        """Show each column before and after."""
        rows = format_html_join(
            "",
            "<tr><th>{}</th><td><del>{}</del></td><td><ins>{}</ins></td></tr>",
            (
                (name, _said(old, most=4000), _said(new, most=4000))
                for name, (old, new) in _pairs(entry)
            ),
        )
        return format_html(DIFF, rows)


def _pairs(entry: AuditEntry) -> list[tuple[str, list[Any]]]:
    return sorted(entry.changes.items())


def _said(value: Any, *, most: int = 60) -> str:
    text = "(none)" if value is None else str(value)
    return text if len(text) <= most else f"{text[:most]}…"


def _lines(entries: QuerySet[AuditEntry]) -> Iterator[str]:
    """Give the lines of the file, a thousand entries read at a time, by key."""
    yield csv_line(COLUMNS)
    rows, last = entries.order_by("-pk"), None
    while True:
        piece = list(rows.filter(pk__lt=last)[:CHUNK] if last else rows[:CHUNK])
        for entry in piece:
            yield csv_line(_text(getattr(entry, name)) for name in COLUMNS)
        if len(piece) < CHUNK:
            return
        last = piece[-1].pk


def _text(value: Any) -> str:
    return "" if value is None else str(value)
