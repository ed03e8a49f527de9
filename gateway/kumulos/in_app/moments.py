"""The one spelling of a moment in-app messages know, `2021-08-31T13:55:58+0000`, and its reader.

Android drops the whole answer over any other (contracts/kumulos §2.3).
"""

import re
from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

SPELLING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", re.ASCII)


def spell(moment: datetime) -> str:
    """Give a moment as the SDKs read it; a device's clock may stand in the year 1970, or 1."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}+0000"


def spell_any(moment: datetime | None) -> str | None:
    """Give a moment as the SDKs read it, or none."""
    return None if moment is None else spell(moment)


class Moment(serializers.CharField):
    """A moment in that spelling."""

    def to_internal_value(self, data: Any) -> Any:
        """Give it in aware UTC; only a real date and time will do."""
        try:
            if isinstance(data, str) and SPELLING.fullmatch(data):
                return datetime.fromisoformat(data)
        except ValueError:
            pass
        raise serializers.ValidationError("Must be a moment like 2017-01-31T09:30:00+0000.")


class SpelledMoment(Moment):
    """A moment in that spelling, kept as it was spelled: apps read it, the gateway does not."""

    def to_internal_value(self, data: Any) -> Any:
        """Give the text back, once it is known to be a moment."""
        return spell(super().to_internal_value(data))
