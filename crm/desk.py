"""What every admin page of ours is built from: rows of one's own apps, by role, a page at a time.

A table may have ten million rows. So nothing here counts them, no page is found by its number, and
rows come newest first, which is the order of every primary key.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import psycopg
from django.conf import settings
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import OperationalError, connection, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from crm import roles
from crm.filters import APP, AppFilter, chosen_app
from crm.keyset import Place, Scope, read_page
from crm.models import App
from crm.models.membership import Role
from crm.panels import Panel

OLDER, NEWER = "older", "newer"  # than the id that follows, in a list's address
MOST_FOUND = 200
"""Rows a search shows at most for each of the names it looks for."""


class UncountedPages(Paginator):
    """The two links of a list that knows neither its length nor a page's number."""

    template_name = "crm/older_newer.html"

    @property
    def count(self) -> int:
        """Nobody counts; asked for by checks alone."""
        return 0


class Rows(ChangeList):
    """One page of a list: the rows older, or newer, than the one its address names."""

    older: int | None = None
    newer: int | None = None
    looked_through = True

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Give what narrows the list down; where a page begins does not."""
        asked = super().get_filters_params(params)
        return {name: value for name, value in asked.items() if name not in {OLDER, NEWER}}

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and one row more to know whether another follows."""
        place = Place(older=_asked(request, OLDER), newer=_asked(request, NEWER))
        desk, size = self.model_admin, self.list_per_page
        page = read_page(self.queryset, place, scope=desk.scope_of(request, self), size=size)
        rows = list(page.rows)
        desk.prepare(request, rows)
        self.older, self.newer, self.looked_through = page.older, page.newer, page.looked_through
        self.result_list = rows
        # equal, or the theme would offer to show all
        self.result_count = self.full_result_count = len(rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_all = False
        self.paginator = UncountedPages(rows, size)

    @property
    def older_address(self) -> str:
        """The address of the next page, of older rows."""
        return self.get_query_string({OLDER: self.older}, [NEWER])

    @property
    def newer_address(self) -> str:
        """The address of the page before, of newer rows."""
        return self.get_query_string({NEWER: self.newer}, [OLDER])


def _asked(request: HttpRequest, name: str) -> int | None:
    said = request.GET.get(name)
    if said is None:
        return None
    # what no key can be is refused as Django refuses a bad filter
    if not said.isdecimal() or len(said) > 18:  # digits of a 64-bit key
        raise IncorrectLookupParameters
    return int(said)


class Desk(ModelAdmin):
    """A list and forms of one model, for whoever has a role in the app a row belongs to.

    `app_path` leads from a row to its app, and is empty where rows are of none; `needs` says which
    role each deed takes. Django's own permissions are not asked: they know no apps.

    `by_app` says that an index gives the rows of an app by their keys, `indexed` which filters keep
    that order along an index; through other filters a list looks stretch by stretch.
    `search_fields` are searched for the whole term, each along an index by app.
    """

    app_path: ClassVar[str] = "app"
    needs: ClassVar[Mapping[str, Role]] = {
        "view": Role.VIEWER,
        "add": Role.ADMIN,
        "change": Role.ADMIN,
        "delete": Role.ADMIN,
    }
    by_app: ClassVar[bool] = True
    indexed: ClassVar[Collection[str]] = ()
    list_filter: Any = [AppFilter]
    list_filter_submit = True
    list_filter_sheet = True
    change_form_outer_after_template: Any = "crm/panels.html"
    list_per_page = 50
    show_full_result_count = False
    list_disable_select_all = True
    sortable_by: Any = ()
    compressed_fields = True
    warn_unsaved_form = True

    # the database keeps the log (docs/adr/0023): Django's own would tell half of it, twice
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None: ...
    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None: ...
    def log_deletions(self, request: HttpRequest, queryset: Any) -> None: ...

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Lead to what the audit log has on a row; its own page asks who may read it."""
        del extra_context
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise Http404
        asked = urlencode({"kind": self.opts.label_lower, "object_id": row.pk})
        return HttpResponseRedirect(f"{reverse('admin:crm_auditentry_changelist')}?{asked}")

    def get_changelist(self, request: HttpRequest, **said: Any) -> type[ChangeList]:  # noqa: ARG002
        """Give the list that pages by key."""
        return Rows

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        """Give the rows of the operator's apps; a superuser's are all there are."""
        rows = super().get_queryset(request)
        if roles.is_everywhere(request.user):
            return rows
        return rows.filter(**{f"{self.app_path}__in": self.own_apps(request)})

    def own_apps(self, request: HttpRequest) -> Collection[int]:
        """Give the apps whose rows the operator may see."""
        return roles.apps_of(request.user, at_least=self.needs["view"])

    def scope_of(self, request: HttpRequest, rows: Rows) -> Scope:
        """Say along which index a page of the list is found, if any."""
        narrowed = {name for name, value in rows.get_filters_params().items() if value != [""]}
        everywhere = roles.is_everywhere(request.user) and APP not in narrowed
        if rows.query:  # the keys are known
            return Scope(indexed=True)
        if not (self.by_app or everywhere) or narrowed - {APP, *self.indexed}:
            return Scope(indexed=False)
        one_by_one = () if everywhere or APP in narrowed else self.own_apps(request)
        return Scope(indexed=True, apps=list(one_by_one), app_path=self.app_path)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Add what a page shows of its rows beside their columns: for all of them at once."""

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """Keep the rows that have the whole term in one of the searched columns."""
        term = search_term.strip()
        if not term:
            return queryset, False
        apps = set(self.own_apps(request))
        if (chosen := chosen_app(request)) is not None:
            apps &= {chosen}
        found: set[Any] = set()
        if apps and "\0" not in term:
            for rows in self.looked_up(sorted(apps), term):
                found.update(rows.values_list("pk", flat=True)[:MOST_FOUND])
        return queryset.filter(pk__in=found), False

    def looked_up(self, apps: Sequence[int], term: str) -> Iterator[models.QuerySet[Any]]:
        """Yield the rows that have the term in each searched column, looked up along its index."""
        rows = self.model._default_manager.filter(**{f"{self.app_path}__in": apps})  # noqa: SLF001
        for name in self.search_fields:
            with suppress(ValidationError):  # it is no number, or no uuid
                column: Any = get_fields_from_path(self.model, name)[-1]
                yield rows.filter(**{name: column.to_python(term)})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Give what is only shown; nothing moves from one app to another."""
        fixed = super().get_readonly_fields(request, obj)
        return [*fixed, "app"] if obj is not None and self.app_path == "app" else fixed

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the rows alone: a million others may hang on one."""
        lacking = {str(one) for one in objs if not self.may(request, "delete", one)}
        return [str(one) for one in objs], {self.opts.verbose_name_plural: len(objs)}, lacking, []

    def panels(self, request: HttpRequest, row: Any) -> Sequence[Panel]:
        """Give the tables under a row's form."""
        del request, row
        return ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **said: Any
    ) -> HttpResponse:
        """Add the tables that stand under the form."""
        row = said.get("obj")
        context["panels"] = [] if row is None else self.panels(request, row)
        return super().render_change_form(request, context, *args, **said)

    def changelist_view(self, request: HttpRequest, *args: Any, **said: Any) -> HttpResponse:
        """Give the list within its time."""
        return self.in_time(
            request, lambda: super(Desk, self).changelist_view(request, *args, **said)
        )

    def changeform_view(self, request: HttpRequest, *args: Any, **said: Any) -> HttpResponse:
        """Give the form within its time."""
        return self.in_time(
            request, lambda: super(Desk, self).changeform_view(request, *args, **said)
        )

    def in_time(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """Give a page whose every query ends in time, or one that says so; a form takes its own."""
        if request.method != "GET":
            return view()
        patience, inside = settings.PAGE_PATIENCE, connection.in_atomic_block
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                milliseconds = round(patience.total_seconds() * 1000)
                # local: a pooler may lend the connection to others after this transaction
                cursor.execute(f"SET LOCAL statement_timeout = {milliseconds}")
                response = view()
                if isinstance(response, SimpleTemplateResponse):
                    response.render()
                if inside:  # or what follows in that transaction would be held to it
                    cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
                return response
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise
        said = {**self.admin_site.each_context(request), "title": "Too much at once"}
        said["seconds"] = f"{patience.total_seconds():g}"
        return TemplateResponse(request, "crm/too_long.html", said, status=503)

    def may(self, request: HttpRequest, deed: str, row: models.Model | None = None) -> bool:
        """Say whether the operator may do something to a row; without one, to any row at all."""
        role = self.needs[deed]
        if roles.is_everywhere(request.user):
            return True
        if row is None or row.pk is None:
            return bool(roles.apps_of(request.user, at_least=role))
        return roles.may(request.user, self.app_of(row), at_least=role)

    def app_of(self, row: models.Model) -> int:
        """Give the id of the app a row belongs to."""
        *way, last = self.app_path.split("__")
        found: Any = row
        for name in way:
            found = getattr(found, name)
        app_id: int = found.pk if last in {"pk", "id"} else getattr(found, f"{last}_id")
        return app_id

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.may(request, "delete", obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        """Lead back to the list, as Django does where rows may be changed, too."""
        answer = super().response_delete(request, obj_display, obj_id)
        if not isinstance(answer, HttpResponseRedirect) or self.has_change_permission(request):
            return answer
        opts = self.opts
        return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Delete rows chosen in a list, which shows also those one may only look at."""
        if not all(self.has_delete_permission(request, row) for row in queryset):
            raise PermissionDenied
        super().delete_queryset(request, queryset)

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **said: Any
    ) -> Any:
        """Let a form name rows of the operator's own apps only."""
        named = db_field.related_model
        if "queryset" not in said and isinstance(named, type) and issubclass(named, models.Model):
            own = roles.apps_of(request.user, at_least=self.needs["change"])
            if issubclass(named, App):
                said["queryset"] = App.objects.filter(pk__in=own)
            elif any(field.name == "app" for field in named._meta.get_fields()):  # noqa: SLF001
                said["queryset"] = named._default_manager.filter(app__in=own)  # noqa: SLF001
        return super().formfield_for_foreignkey(db_field, request, **said)


class ReadOnlyDesk(Desk):
    """Rows the engine owns: seen by whoever may, written by nobody's hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        obj: models.Model | None = None,  # noqa: ARG002
    ) -> bool:
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: models.Model | None = None,  # noqa: ARG002
    ) -> bool:
        return False
