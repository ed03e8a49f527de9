"""What a field of a form completes to: Django's page, which takes any name of a relation."""

from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


class Completions(AutocompleteJsonView):
    """Completes what a form can have a field for; refuses the far end of a relation."""

    def process_request(self, request: HttpRequest) -> Any:
        """Give what is asked for, as Django reads it."""
        found = super().process_request(request)
        if not hasattr(found[2], "get_limit_choices_to"):  # it would fail asking for them
            raise PermissionDenied
        return found
