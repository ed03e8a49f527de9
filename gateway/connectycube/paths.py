"""How routes are spelled: each path exists plainly and with `.json`, and never redirects."""

import re

from django.urls import URLPattern, path, register_converter

from gateway.connectycube.cors import cross_origin
from gateway.rest.cors import View

DIGITS = re.compile(r"[0-9]{1,10}")
INT4 = 2**31 - 1


class NumberConverter:
    """Matches one of our ids: a signed 32-bit integer that is not negative.

    What cannot be one is 0, which is nobody's: who asks is judged before what they ask for.
    """

    regex = r"[^/]+"

    def to_python(self, value: str) -> int:
        """Give the number."""
        return int(value) if DIGITS.fullmatch(value) and int(value) <= INT4 else 0

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
