"""Segments: rules with a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from crm.errors import Conflict, NotFound
from crm.models import App, Segment
from crm.segments.rules import parse

INT4 = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteSegment:
    """Everything a caller says of a segment; the rule is kept as it is."""

    name: str
    rule: Mapping[str, Any]


def create_segment(*, app: App, ask: WriteSegment) -> Segment:
    """Store a new segment; raises `BadRule`, and `Conflict` where its name is taken."""
    now = timezone.now()
    return _write(Segment(app=app, created_at=now), ask, now=now)


@transaction.atomic
def replace_segment(*, app: App, key: str, ask: WriteSegment) -> Segment:
    """Put a name and a rule in the place of a segment's; the next send goes by them.

    Raises `NotFound`, `BadRule`, and `Conflict` where the name is another's.
    """
    segment = _only(_known(app, key).select_for_update())
    return _write(segment, ask, now=timezone.now())


def delete_segment(*, app: App, key: str) -> None:
    """Forget a segment; raises `NotFound`. What is still to be sent to it reaches nobody."""
    find_segment(app=app, key=key).delete()


def find_segment(*, app: App, key: str) -> Segment:
    """Give the segment with this id or uuid; raises `NotFound`."""
    return _only(_known(app, key))


def _known(app: App, key: str) -> QuerySet[Segment]:
    segments = Segment.objects.filter(app=app)
    if key.isascii() and key.isdigit() and len(key) <= 10:
        return segments.filter(pk=int(key)) if int(key) <= INT4 else segments.none()
    try:
        return segments.filter(uuid=UUID(key))
    except ValueError:
        return segments.none()


def _only(segments: QuerySet[Segment]) -> Segment:
    segment = segments.first()
    if segment is None:
        raise NotFound("No such segment.")
    return segment


def _write(segment: Segment, ask: WriteSegment, *, now: datetime) -> Segment:
    parse(ask.rule)
    segment.name, segment.rule, segment.updated_at = ask.name, dict(ask.rule), now
    try:
        with transaction.atomic():
            segment.save()
    except IntegrityError as error:
        raise Conflict("This name is taken.", field="name") from error
    return segment
