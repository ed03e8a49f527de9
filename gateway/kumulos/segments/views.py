"""Which request, which command, which response."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from crm.commands.segments import (
    create_segment,
    delete_segment,
    find_segment,
    replace_segment,
)
from crm.segments.rules import parse
from delivery.targeting import segments as targeting
from gateway.kumulos.schema import INVALID, NOT_FOUND, UNAUTHORISED
from gateway.kumulos.segments.requests import (
    PreviewFields,
    SegmentFields,
    read_rule,
    read_segment,
)
from gateway.kumulos.segments.responses import (
    PreviewAnswer,
    SegmentAnswer,
    SegmentCountsAnswer,
    SegmentsAnswer,
    counts_body,
    preview_body,
    segment_body,
    segments_body,
)
from gateway.kumulos.viewset import ServerViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.paging import LARGEST, read_page
from gateway.rest.rendering import Response

PAGE = [
    OpenApiParameter("currentPage", int, description="1, the first, unless said otherwise."),
    OpenApiParameter(
        "numberPerPage", int, description=f"1 to {LARGEST}; 50 unless said otherwise."
    ),
]


class Segments(ServerViewSet):
    """Segments of one app: an addition of this gateway. A key is an id or a uuid."""

    recorded = frozenset({"create", "update", "destroy"})

    @extend_schema(
        operation_id="segments_browse",
        summary="List segments",
        parameters=PAGE,
        responses={200: SegmentsAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def browse(self, request: Request) -> Response:
        """List segments in the order they were created."""
        page = read_page(request.query_params, required=False)
        segments = self.app.segments.order_by("id")
        shown, total = segments[page.rows], segments.count()
        return Response(segments_body(shown, total=total, number=page.number))

    @extend_schema(
        summary="Create a segment",
        request=SegmentFields,
        responses={201: SegmentAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    @once_per_key
    def create(self, request: Request) -> Response:
        """Store a rule under a name of its own."""
        ask = read_segment(json_object(request))
        return Response(segment_body(create_segment(app=self.app, ask=ask)), status=201)

    @extend_schema(
        summary="Say whom a rule is true of, and how many they are",
        request=PreviewFields,
        responses={200: PreviewAnswer, 401: UNAUTHORISED, 422: INVALID},
    )
    def preview(self, request: Request) -> Response:
        """Explain and count a rule without storing it."""
        rule = read_rule(json_object(request))
        counts = targeting.count(rule, app_id=self.app.pk, now=timezone.now())
        return Response(preview_body(rule, counts))

    @extend_schema(
        summary="Read a segment",
        responses={200: SegmentAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def retrieve(self, request: Request, key: str) -> Response:
        """Give one segment."""
        del request
        return Response(segment_body(find_segment(app=self.app, key=key)))

    @extend_schema(
        summary="Replace a segment",
        request=SegmentFields,
        responses={200: SegmentAnswer, 401: UNAUTHORISED, 404: NOT_FOUND, 422: INVALID},
    )
    def update(self, request: Request, key: str) -> Response:
        """Replace name and rule; what is sent from now on goes by them."""
        find_segment(app=self.app, key=key)  # an unknown one is 404 whatever the body says
        ask = read_segment(json_object(request))
        return Response(segment_body(replace_segment(app=self.app, key=key, ask=ask)))

    @extend_schema(
        summary="Delete a segment",
        responses={204: None, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def destroy(self, request: Request, key: str) -> Response:
        """Forget a segment; what is still to be sent to it reaches nobody."""
        del request
        delete_segment(app=self.app, key=key)
        return Response(status=204)

    @extend_schema(
        summary="Count a segment",
        responses={200: SegmentCountsAnswer, 401: UNAUTHORISED, 404: NOT_FOUND},
    )
    def count(self, request: Request, key: str) -> Response:
        """Give how many people, installs and devices a send would reach now."""
        del request
        rule = parse(find_segment(app=self.app, key=key).rule)
        counts = targeting.count(rule, app_id=self.app.pk, now=timezone.now())
        return Response(counts_body(counts))
