"""Wire values, read strictly: a boolean is no number, a number is no text, nothing is guessed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty
from rest_framework.validators import ProhibitSurrogateCharactersValidator as NoHalfCharacters

from gateway.rest.errors import ITSELF
from gateway.rest.storable import objection

REQUIRED = "This field is required."


class WireObject(serializers.Serializer[Any]):
    """A JSON object of which every bad key is named at once; unknown keys are ignored."""

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """Give the known members of a decoded body, or raise with all that is wrong with it."""
        values: dict[str, Any] = _shared(cls).run_validation(data)
        return values

    def run_validation(self, data: Any = empty) -> Any:
        """Give what `data` says, the default where there is none."""
        is_empty, value = self.validate_empty_values(data)
        return value if is_empty else self.to_internal_value(value)

    def to_internal_value(self, data: Any) -> Any:
        """Give the known members; raises with the reasons of all bad ones."""
        if not isinstance(data, Mapping):
            wrong = self.error_messages["invalid"].format(datatype=type(data).__name__)
            raise ValidationError({ITSELF: [wrong]})
        values: dict[str, Any] = {}
        reasons: dict[str, Any] = {}
        for key, field, asked_anyway in self._members:
            if asked_anyway or key in data:
                try:
                    values[key] = field.run_validation(data.get(key, empty))
                except ValidationError as error:
                    reasons[key] = error.detail
        for key, reason in self.cross_reasons(data).items():
            reasons.setdefault(key, [reason])
        if reasons:
            raise ValidationError(reasons)
        return values

    @cached_property
    def _members(self) -> list[tuple[str, Any, bool]]:
        fields = self.fields.items()
        return [(key, one, one.required or one.default is not empty) for key, one in fields]

    def cross_reasons(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Give what is wrong between members, by key; a member's own reason comes first."""
        del data
        return {}


@cache
def _shared(kind: type[WireObject]) -> WireObject:
    """Give the one of a kind that reads for everybody: making fields costs more than reading."""
    return kind()


class Text(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, *, at_most_bytes: int | None = None, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        self.at_most_bytes = at_most_bytes
        # it looks at one character after another; strict JSON has no half characters
        self.validators = [v for v in self.validators if not isinstance(v, NoHalfCharacters)]

    def to_internal_value(self, data: Any) -> str:
        """Refuse what CharField would turn into text, and text that is too long."""
        if not isinstance(data, str):
            self.fail("invalid")
        if self.at_most_bytes is not None and len(data.encode()) > self.at_most_bytes:
            raise ValidationError(f"At most {self.at_most_bytes} bytes are allowed.")
        return data


class Flag(serializers.BooleanField):
    """`true` or `false`, not a word or number for it."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse what BooleanField would take for a boolean."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A JSON integer."""

    def to_internal_value(self, data: Any) -> int:
        """Refuse booleans, fractions and digits in quotes."""
        if type(data) is not int:
            self.fail("invalid")
        return data


class Word(serializers.ChoiceField):
    """One of a few strings."""

    def to_internal_value(self, data: Any) -> Any:
        """Refuse what ChoiceField would turn into text first."""
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class Items(serializers.ListField):
    """An array of one kind of thing; thousands cost one pass, and reasons stand at its own key."""

    kind: type
    complaint: str

    def to_internal_value(self, data: Any) -> list[Any]:
        """Refuse anything but an array of the one kind."""
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if not self.fits(data):
            raise ValidationError(self.complaint)
        return data

    def fits(self, data: Iterable[Any]) -> bool:
        """Say whether every item is of the kind."""
        return all(type(item) is self.kind for item in data)


class Texts(Items):
    """An array of strings."""

    child = serializers.CharField()
    kind = str
    complaint = "Every item must be a string without null characters."

    def fits(self, data: Iterable[Any]) -> bool:
        """Say whether every item is a string a database can look for."""
        return all(type(item) is str and "\0" not in item for item in data)


class Wholes(Items):
    """An array of integers."""

    child = serializers.IntegerField()
    kind = int
    complaint = "Every item must be an integer."


class AnyObject(serializers.DictField):
    """A JSON object of the caller's own making, kept as it is."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse other values, and what a database cannot keep."""
        if not isinstance(data, dict):
            self.fail("not_a_dict", input_type=type(data).__name__)
        if (reason := objection(data)) is not None:
            raise ValidationError(reason)
        return data


class ObjectOfObjects(AnyObject):
    """A JSON object whose values are objects."""

    child = serializers.DictField()

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse values that are no objects."""
        found = super().to_internal_value(data)
        if not all(isinstance(value, dict) for value in found.values()):
            raise ValidationError("Every value must be an object.")
        return found


class WallClock(serializers.CharField):
    """`YYYY-MM-DD HH:MM`, a date and time of nobody's zone in particular."""

    shape = "%Y-%m-%d %H:%M"

    def to_internal_value(self, data: Any) -> Any:
        """Give the naive moment; only the exact spelling of a real date will do."""
        try:
            moment = datetime.strptime(data, self.shape)  # noqa: DTZ007 - the zone comes apart
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.strftime(self.shape).zfill(16) != data:
            raise ValidationError("Must be a date and time like 2017-01-31 09:30.")
        return moment
