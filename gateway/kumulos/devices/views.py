"""Which request, which command, which response."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from delivery.commands.record_events import record_events
from gateway.kumulos.devices.requests import read_events, read_install_uid
from gateway.kumulos.devices.responses import DeviceEventFields
from gateway.kumulos.schema import INVALID, UNAUTHORISED
from gateway.kumulos.viewset import DeviceViewSet
from gateway.rest.body import json_array
from gateway.rest.rendering import Response


class DeviceEvents(DeviceViewSet):
    """What one install tells of itself, its pushes and its user."""

    @extend_schema(
        summary="Record what happened on a device",
        request=DeviceEventFields(many=True),
        responses={
            202: OpenApiResponse(description="Stored; bad elements are skipped."),
            401: UNAUTHORISED,
            422: INVALID,
        },
    )
    def create(self, request: Request, install_uid: str) -> Response:
        """Record events in order; those already known by their uuid change nothing."""
        uid = read_install_uid(install_uid)
        events = read_events(json_array(request), now=timezone.now())
        record_events(app=self.app, install_uid=uid, events=events)
        return Response(status=202)
