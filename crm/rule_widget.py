"""A rule of a segment as a form's field: built by hand, said back in words and counted."""

import json
from collections.abc import Mapping
from typing import Any

from django.forms.widgets import Media, Script
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from crm.segments.values import PLATFORMS
from crm.segments.vocabulary import SUITS, Field

TYPES: Mapping[Field, str] = {
    Field.ATTRIBUTE: "any",
    Field.CHANNEL: "any",  # an id or a uuid
    Field.OPENED: "number",
    Field.CREATED: "moment",
    Field.LAST_ACTIVE: "moment",
}
"""What a field is compared with; text where nothing is said."""


def vocabulary_json() -> str:
    """Give the words of the rule language to a script: fields, what they are, and operators."""
    fields = {
        field.value: {
            "type": TYPES.get(field, "text"),
            "choices": list(PLATFORMS) if field is Field.PLATFORM else [],
            "ops": [op.value for op in ops],
        }
        for field, ops in SUITS.items()
    }
    return json.dumps(fields)


class RuleWidget(UnfoldAdminTextareaWidget):
    """The JSON of a rule in a box, and above it, where scripts run, the builder of it.

    The app whose people are counted is that of the form's own `app` field, or of `data-app`.
    """

    @property
    def media(self) -> Media:
        """The builder's script and style."""
        script: Any = Script("crm/segment_builder.js", type="module")
        return Media(css={"all": ["crm/segment_builder.css"]}, js=[script])

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Add what the script has to know."""
        known = {
            "data-segment-builder": "",
            "data-vocabulary": vocabulary_json(),
            "data-ask": reverse("admin:compose_rule"),
            **(attrs or {}),
        }
        context: dict[str, Any] = super().get_context(name, value, known)
        return context
