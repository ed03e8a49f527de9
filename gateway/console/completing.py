"""What a field of a form completes to: Django's page, which answers for fields no form has, too."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


class Completions(AutocompleteJsonView):
    """Completes the `autocomplete_fields` of a desk; anything else would be asked by hand alone.

    Django's own counts whole tables for those, and fails for the far end of a relation.
    """

    def process_request(self, request: HttpRequest) -> Any:
        """Give what is asked for, as Django reads it."""
        found = super().process_request(request)
        field = found[2]
        desk = admin.site._registry.get(field.model)  # noqa: SLF001
        if desk is None or field.name not in desk.get_autocomplete_fields(request):
            raise PermissionDenied
        return found
