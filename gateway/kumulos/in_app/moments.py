"""The reader of the one spelling of a moment in-app messages know, `2021-08-31T13:55:58+0000`.

Android drops the whole answer over any other (contracts/kumulos §2.3).
"""

import re
from datetime import datetime
from typing import Any

from rest_framework import serializers

from gateway.kumulos.moments import spell

SPELLING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", re.ASCII)


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
