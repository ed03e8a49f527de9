"""One record's members, read strictly and fast: millions come, and each bad one is named."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from gateway.kumulos.importing.files import decoded
from gateway.rest.fields import REQUIRED

FLAGS = {"true": True, "false": False, "1": True, "0": False}
NO_OBJECT = "Must be a JSON object."
T = TypeVar("T")


class Refused(Exception):
    """A record that cannot be stored; the reasons by key."""

    def __init__(self, reasons: Mapping[str, list[str]]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


class Record:
    """An object of a file: each reader gives a member's value, None where nothing is said.

    Cells of a CSV file are all text: `''` says nothing, flags are words, objects are JSON. What is
    wrong is gathered until `check`. A record inside another complains under its own path.
    """

    def __init__(
        self,
        members: Mapping[str, Any],
        *,
        path: str = "",
        reasons: dict[str, list[str]] | None = None,
    ) -> None:
        self.members = members
        self.path = path
        self.reasons: dict[str, list[str]] = {} if reasons is None else reasons

    def check(self) -> None:
        """Raise `Refused` where any member was not what it must be."""
        if self.reasons:
            raise Refused(self.reasons)

    def complain(self, key: str, reason: str) -> None:
        """Take note of what is wrong with a member."""
        self.reasons[self.path + key] = [reason]

    def get(self, key: str) -> Any:
        """Give a member as it is."""
        value = self.members.get(key)
        return None if value == "" else value

    def name(self, key: str, *, at_most: int) -> str | None:
        """Give a text of bounded length, kept as it is."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.complain(key, "Must be a string.")
        elif len(value) > at_most:
            self.complain(key, f"At most {at_most} characters are allowed.")
        else:
            return value
        return None

    def own_name(self, key: str, *, at_most: int) -> str:
        """Give what the record is known by; required."""
        name = self.name(key, at_most=at_most)
        if name is None and self.get(key) is None:
            self.complain(key, REQUIRED)
        return name or ""

    def moment(self, key: str) -> datetime | None:
        """Give a moment in any spelling of ISO 8601; without a zone it is UTC."""
        value = self.members.get(key)
        if value is None or value == "":
            return None
        try:
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            self.complain(key, "Must be a date and time like 2020-10-20T08:00:00+00:00.")
            return None

    def flag(self, key: str) -> bool | None:
        """Give a boolean, or the word for it."""
        value = self.get(key)
        if isinstance(value, str):
            value = FLAGS.get(value.lower(), value)
        if value is None or isinstance(value, bool):
            return value
        self.complain(key, "Must be true or false.")
        return None

    def object(self, key: str) -> dict[str, Any] | None:
        """Give a JSON object, or the JSON text of one."""
        return self._json(key, dict, NO_OBJECT)

    def array(self, key: str) -> list[Any] | None:
        """Give a JSON array, or the JSON text of one."""
        return self._json(key, list, "Must be a JSON array.")

    def inner(self, key: str, read: Callable[["Record"], T]) -> list[T]:
        """Give what `read` makes of each object in an array."""
        found = []
        for number, item in enumerate(self.array(key) or []):
            path = f"{key}[{number}]"
            if isinstance(item, dict):
                found.append(read(Record(item, path=f"{self.path}{path}.", reasons=self.reasons)))
            else:
                self.complain(path, NO_OBJECT)
        return found

    def _json(self, key: str, kind: type[T], complaint: str) -> T | None:
        value, wrong = self.get(key), ""
        if value is None:
            return None
        if isinstance(value, str):
            value, wrong = decoded(value.encode())
        if wrong or not isinstance(value, kind):
            self.complain(key, wrong or complaint)
            return None
        return value
