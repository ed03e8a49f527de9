"""Wire → where to read events from, and how many of which."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.fields import Field

from crm.errors import Invalid
from delivery.models.webhook import Topic
from delivery.webhooks.events import BEGINNING, Position, read_position
from gateway.rest.fields import Text, WireObject

MOST = 1000
USUAL = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadEvents:
    """Which events of an app to give."""

    after: Position
    most: int
    topics: Sequence[str]


def read_ask(params: Mapping[str, str]) -> ReadEvents:
    """Give what a query string asks for, or raise with all that is wrong with it."""
    reasons: dict[str, list[str]] = {}
    after = BEGINNING
    try:
        after = read_position(params.get("after", "0"))
    except Invalid as error:
        reasons["after"] = list(error.reasons["after"])
    limit = params.get("limit", str(USUAL))
    if not (re.fullmatch(r"[0-9]{1,4}", limit) and 1 <= int(limit) <= MOST):
        reasons["limit"] = [f"Must be a whole number from 1 to {MOST}."]
    topics = [word for word in params.get("types", "").split(",") if word]
    if not set(topics) <= set(Topic.values):
        reasons["types"] = [f"Must be some of {', '.join(Topic.values)}, with commas between."]
    if reasons:
        raise ValidationError(reasons)
    return ReadEvents(after=after, most=int(limit), topics=topics or Topic.values)


class ReplayFields(WireObject):
    """The shape of a wish to be told again."""

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        """Give the one key."""
        return {"after": Text(max_length=32)}


def read_replay(body: dict[str, Any]) -> Position:
    """Give where a replay is to begin."""
    return read_position(ReplayFields.read(body)["after"])
