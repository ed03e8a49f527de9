"""How routes are spelled: each path exists plainly and with `.json`, and never redirects."""

from django.urls import URLPattern, path

import gateway.rest.converters  # noqa: F401 - registers them, before any route is made
from gateway.connectycube.cors import cross_origin
from gateway.rest.cors import View


def both(route: str, view: View) -> list[URLPattern]:
    """Give both spellings of a route; the JavaScript SDK appends `.json` to every path.

    That spelling comes first: a caller's own id would swallow the suffix.
    """
    opened = cross_origin(view)
    return [path(f"{route}.json", opened), path(route, opened)]
