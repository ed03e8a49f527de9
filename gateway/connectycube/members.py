"""Members of a request, read leniently: a form knows text only, and JSON is written like one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

from rest_framework.exceptions import ValidationError

from gateway.connectycube.errors import BLANK, INVALID, UNLISTED

DIGITS = re.compile(r"[+-]?[0-9]{1,19}")
FLAGS = {"true": True, "1": True, "false": False, "0": False}
INT8 = 2**63 - 1


class Members:
    """An object's members by key; what is wrong with any is gathered until `check`.

    A member inside another complains under its own bare name: `environment`, and not
    `push_token[environment]` (contracts/connectycube §3).
    """

    def __init__(
        self, said: Mapping[str, Any], *, reasons: dict[str, list[str]] | None = None
    ) -> None:
        self._said = said
        self.reasons: dict[str, list[str]] = {} if reasons is None else reasons

    def __contains__(self, key: str) -> bool:
        return not is_blank(self._said.get(key))

    def check(self) -> None:
        """Raise the reasons of all bad members at once."""
        if self.reasons:
            raise ValidationError(self.reasons)

    def complain(self, key: str, reason: str) -> None:
        """Take note of what is wrong with a member; its first reason counts."""
        self.reasons.setdefault(key, [reason])

    def get(self, key: str) -> Any:
        """Give a member as it is, None where it is blank."""
        value = self._said.get(key)
        return None if is_blank(value) else value

    def inner(self, key: str) -> Self:
        """Give an object's own members; what is no object has none."""
        value = self.get(key)
        if value is not None and not isinstance(value, Mapping):
            self.complain(key, INVALID)
        return type(self)(value if isinstance(value, Mapping) else {}, reasons=self.reasons)

    def text(self, key: str, *, at_most: int, required: bool = False) -> str | None:
        """Give a text; a number is one too."""
        value = self.get(key)
        if value is None:
            if required:
                self.complain(key, BLANK)
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.complain(key, INVALID)
            return None
        if len(str(value)) > at_most:
            self.complain(key, f"is too long (maximum is {at_most} characters)")
            return None
        return str(value)

    def word(self, key: str, words: Iterable[str], *, required: bool = False) -> str | None:
        """Give one of a few words, in whichever case it is written."""
        value = self.text(key, at_most=255, required=required)
        if value is None:
            return None
        if value.lower() not in words:
            self.complain(key, UNLISTED)
            return None
        return value.lower()

    def whole(self, key: str) -> int | None:
        """Give a whole number or the digits of one, of 64 bits at most."""
        value = self.get(key)
        if value is None:
            return None
        text = str(value)
        if isinstance(value, bool) or not DIGITS.fullmatch(text) or abs(int(text)) > INT8:
            self.complain(key, INVALID)
            return None
        return int(text)

    def flag(self, key: str) -> bool | None:
        """Give a truth value or a word for one."""
        value = self.get(key)
        if value is None:
            return None
        known = FLAGS.get(str(value).lower())
        if known is None:
            self.complain(key, INVALID)
        return known

    def names(self, key: str, *, at_most: int) -> list[str]:
        """Give the items of a comma list or an array, trimmed, each once and in order."""
        value = self.get(key)
        items = value if isinstance(value, list) else [] if value is None else [value]
        found: dict[str, None] = {}
        for item in items:
            if isinstance(item, bool) or not isinstance(item, str | int):
                self.complain(key, INVALID)
                return []
            found |= dict.fromkeys(part.strip() for part in str(item).split(",") if part.strip())
        if len(found) > at_most:
            self.complain(key, f"is too long (maximum is {at_most} items)")
            return []
        return list(found)


def is_blank(value: object) -> bool:
    """Say whether nothing was said: null, or an empty text."""
    return value is None or value == ""


def open_envelope(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give the object a body wraps its members in; an absent, empty or other one is refused."""
    inside = said.get(key)
    if is_blank(inside) or inside == {}:
        raise ValidationError({key: [BLANK]})
    if not isinstance(inside, Mapping):
        raise ValidationError({key: [INVALID]})
    return inside
