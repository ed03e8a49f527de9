"""Filters of lists: what an operator may see, and never a big table asked for its values."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from crm import roles
from crm.models import App

APP = "app"  # in a list's address


class AppFilter(DropdownFilter):
    """The rows of one of the operator's apps; not shown to whoever has one only."""

    title = "app"
    parameter_name = APP

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """Give the operator's apps by name."""
        own = roles.apps_of(request.user, at_least=model_admin.needs["view"])
        if len(own) < 2:
            return []
        apps = App.objects.filter(pk__in=own).order_by("name", "pk")
        return [(str(app.pk), str(app)) for app in apps.only("name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen app's rows; of an app that is not the operator's, none."""
        chosen = chosen_app(request)
        return queryset if chosen is None else queryset.filter(**{self._path: chosen})

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self._path = model_admin.app_path
        super().__init__(request, params, model, model_admin)


def chosen_app(request: HttpRequest) -> int | None:
    """Give the app a list is narrowed down to, 0 for what can be no app's id."""
    said = request.GET.get(APP)
    if not said:
        return None
    return int(said) if said.isdecimal() and len(said) < 10 else 0


class Among(DropdownFilter):
    """Rows with one of a column's few values, which are known beforehand."""

    values: ClassVar[Sequence[tuple[str, Any]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        """Give the values there may be."""
        del request, model_admin
        return self.values

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows with the value asked for; an unknown one is nobody's."""
        del request
        return (
            queryset.filter(**{str(self.parameter_name): self.value()})
            if self.value()
            else queryset
        )


def among(column: str, values: Sequence[tuple[str, Any]], *, title: str = "") -> type[Among]:
    """Give the filter of a column, by the values it may have."""
    said = {"title": title or column, "parameter_name": column, "values": values}
    return type(f"Among{column.title()}", (Among,), said)
