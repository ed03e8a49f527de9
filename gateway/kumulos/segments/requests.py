"""Wire → command: a decoded body becomes a WriteSegment or a Rule, or every reason why not."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field

from crm.commands.segments import WriteSegment
from crm.segments.rules import BadRule, Rule, parse
from gateway.rest.errors import ITSELF
from gateway.rest.fields import AnyObject, Text, WireObject


class RuleField(AnyObject):
    """A rule of version 1 (docs/segments.md), kept as it is."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse what states no rule, with the reasons of every bad node."""
        found = super().to_internal_value(data)
        try:
            parse(found, at="")
        except BadRule as bad:
            raise ValidationError(_by_node(bad.reasons)) from bad
        return found


def _by_node(reasons: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lstrip(".") or ITSELF: list(why) for key, why in reasons.items()}


class SegmentFields(WireObject):
    """The shape of a segment."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the keys a caller says."""
        return {"name": Text(max_length=255), "rule": RuleField()}


class PreviewFields(WireObject):
    """The shape of a question: whom is this rule true of."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the one key."""
        return {"rule": RuleField()}


def read_segment(body: dict[str, Any]) -> WriteSegment:
    """Give the command a body asks for."""
    return WriteSegment(**SegmentFields.read(body))


def read_rule(body: dict[str, Any]) -> Rule:
    """Give the rule a body asks about."""
    return parse(PreviewFields.read(body)["rule"])
