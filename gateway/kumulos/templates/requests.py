"""Wire → command: a decoded body becomes a WriteTemplate, or every reason why not."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field

from gateway.rest.fields import AnyObject, Text, WireObject
from templates_app.commands import WriteTemplate
from templates_app.content import objection

# an ASCII set, so that the uid is a path segment without being encoded
UID = RegexValidator(r"^[A-Za-z0-9-]*\Z", "Only letters, digits and dashes are allowed.")


class Content(AnyObject):
    """A template's JSON object, of no shape in particular."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse what could not be answered as it came."""
        found = super().to_internal_value(data)
        if (reason := objection(found)) is not None:
            raise ValidationError(reason)
        return found


class TemplateFields(WireObject):
    """The shape of a template; no page says which nodes `content` may have."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys in their documented order."""
        return {
            "name": Text(max_length=255),
            "uid": Text(max_length=255, validators=[UID]),
            "content": Content(),
        }


def read_template(body: dict[str, Any], *, uid: str | None = None) -> WriteTemplate:
    """Give the command a body asks for; a replacement keeps its `uid` unless told otherwise."""
    known = {} if uid is None else {"uid": uid}
    return WriteTemplate(**TemplateFields.read({**known, **body}))
