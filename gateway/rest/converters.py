"""How ids are matched in a path: ours, and callers' own."""

import re

from django.urls import register_converter

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


class AnythingConverter:
    """Matches a caller's own id: it may hold `/`, spaces and line breaks once decoded."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Give it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Give it as it is; Django percent-encodes."""
        return value


register_converter(NumberConverter, "number")
register_converter(AnythingConverter, "anything")
