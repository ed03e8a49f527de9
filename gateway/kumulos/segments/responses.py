"""Domain → wire: a segment, its rule in words, and how many it is true of."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.fields import Field

from crm.models import Segment
from crm.segments.explain import explain
from crm.segments.rules import Rule, parse
from delivery.targeting.segments import Counts
from gateway.kumulos.moments import spell

Fields = dict[str, Field[Any, Any, Any, Any]]


def segment_body(segment: Segment) -> dict[str, Any]:
    """Give one segment."""
    return {
        "id": segment.pk,
        "uuid": str(segment.uuid),
        "name": segment.name,
        "rule": segment.rule,
        "explanation": explain(parse(segment.rule)),
        "createdAt": spell(segment.created_at),
        "updatedAt": spell(segment.updated_at),
        "appId": segment.app_id,
    }


def segments_body(page: Iterable[Segment], *, total: int, number: int) -> dict[str, Any]:
    """Give one page of segments, in the form of the other lists."""
    return {
        "segments": [segment_body(segment) for segment in page],
        "totalSegments": total,
        "currentPage": number,
    }


def preview_body(rule: Rule, counts: Counts) -> dict[str, Any]:
    """Give a rule in words and in numbers."""
    return {"explanation": explain(rule), "counts": counts_body(counts)}


def counts_body(counts: Counts) -> dict[str, int]:
    """Give how many people, installs and reachable devices."""
    return counts._asdict()


class SegmentAnswer(serializers.Serializer[Any]):
    """One segment, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their order."""
        return {
            "id": serializers.IntegerField(),
            "uuid": serializers.CharField(),
            "name": serializers.CharField(),
            "rule": serializers.DictField(),
            "explanation": serializers.CharField(),
            "createdAt": serializers.CharField(),
            "updatedAt": serializers.CharField(),
            "appId": serializers.IntegerField(),
        }


class SegmentsAnswer(serializers.Serializer[Any]):
    """One page of segments, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in the order of the other lists."""
        return {
            "segments": SegmentAnswer(many=True),
            "totalSegments": serializers.IntegerField(),
            "currentPage": serializers.IntegerField(),
        }


class SegmentCountsAnswer(serializers.Serializer[Any]):
    """How many a rule is true of, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their order."""
        return {name: serializers.IntegerField() for name in Counts._fields}


class PreviewAnswer(serializers.Serializer[Any]):
    """A rule in words and in numbers, for the OpenAPI page."""

    def get_fields(self) -> Fields:
        """Give the keys in their order."""
        return {"explanation": serializers.CharField(), "counts": SegmentCountsAnswer()}
