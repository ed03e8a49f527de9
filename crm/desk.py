"""What every admin page of ours is built from: rows of one's own apps, by role, a page at a time.

A table may have ten million rows. So nothing here counts them, no page is found by its number, and
rows come newest first, which is the order of every primary key.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from crm import roles
from crm.models import App
from crm.models.membership import Role

OLDER, NEWER = "older", "newer"  # than the id that follows, in a list's address


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

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Give what narrows the list down; where a page begins does not."""
        asked = super().get_filters_params(params)
        return {name: value for name, value in asked.items() if name not in {OLDER, NEWER}}

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and one row more to know whether another follows."""
        older, newer = (_asked(request, name) for name in (OLDER, NEWER))
        size = self.list_per_page
        rows: list[Any]
        if newer is not None:
            rows = list(self.queryset.filter(pk__gt=newer).order_by("pk")[: size + 1])
            more_newer, more_older = len(rows) > size, True
            rows = rows[:size][::-1]
        else:
            found = self.queryset if older is None else self.queryset.filter(pk__lt=older)
            rows = list(found.order_by("-pk")[: size + 1])
            more_newer, more_older = older is not None, len(rows) > size
            rows = rows[:size]
        self.older = rows[-1].pk if rows and more_older else None
        self.newer = rows[0].pk if rows and more_newer else None
        self.result_list = rows
        self.result_count, self.full_result_count = len(rows), None
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

    `app_path` leads from a row to its app; `needs` says which role each deed takes. Django's own
    permissions are not asked: they know no apps.
    """

    app_path: ClassVar[str] = "app"
    needs: ClassVar[Mapping[str, Role]] = {
        "view": Role.VIEWER,
        "add": Role.ADMIN,
        "change": Role.ADMIN,
        "delete": Role.ADMIN,
    }
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
        """Give the rows of the operator's apps."""
        own = roles.apps_of(request.user, at_least=self.needs["view"])
        return super().get_queryset(request).filter(**{f"{self.app_path}__in": own})

    def may(self, request: HttpRequest, deed: str, row: models.Model | None = None) -> bool:
        """Say whether the operator may do something to a row; without one, to any row at all."""
        role = self.needs[deed]
        if row is None or row.pk is None:
            # also before there is any app, a superuser's first page is no refusal
            everything = request.user.is_active and getattr(request.user, "is_superuser", False)
            return bool(everything or roles.apps_of(request.user, at_least=role))
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

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Tell what would go; whoever may delete a row may have the engine's about it go, too.

        All of them are of its app, and nobody could erase a person otherwise.
        """
        going, counts, _, protected = super().get_deleted_objects(objs, request)
        mine = all(self.has_delete_permission(request, row) for row in objs)
        return going, counts, set() if mine else {self.opts.verbose_name}, protected

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
