"""How routes are spelled: each path exists plainly and with `.json`, and never redirects."""

from django.urls import URLPattern, path, register_converter

from gateway.connectycube.cors import cross_origin
from gateway.rest.cors import View


class NumberConverter:
    """Matches an id of ours: a signed 32-bit integer that is not negative."""

    regex = r"[0-9]{1,10}"

    def to_python(self, value: str) -> int:
        """Give the number; one that no id can be is no route."""
        if int(value) > 2**31 - 1:
            raise ValueError(value)
        return int(value)

    def to_url(self, value: int) -> str:
        """Give its digits."""
        return str(value)


class NameConverter:
    """Matches a caller's own id: it may hold `/`, spaces and dots once decoded."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Give it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Give it as it is; Django percent-encodes."""
        return value


register_converter(NumberConverter, "number")
register_converter(NameConverter, "name")


def both(route: str, view: View) -> list[URLPattern]:
    """Give both spellings of a route; the JavaScript SDK appends `.json` to every path.

    That spelling comes first: a caller's own id would swallow the suffix.
    """
    opened = cross_origin(view)
    return [path(f"{route}.json", opened), path(route, opened)]
