"""Routes of SDKs before March 2018: each is one event of today (contracts/kumulos §2.5)."""

from datetime import datetime
from typing import Any
from uuid import uuid4

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from delivery.commands.record_events import DeviceEvent, record_events
from gateway.kumulos.devices.requests import read_event, read_install_uid
from gateway.kumulos.schema import INVALID, UNAUTHORISED
from gateway.kumulos.viewset import DeviceViewSet
from gateway.rest.body import json_object
from gateway.rest.idempotency import once_per_key
from gateway.rest.rendering import Response

# the members each event cannot do without
NEEDED = {
    "k.push.deviceRegistered": ("token", "type"),
    "k.push.opened": ("id",),
    "k.stats.userAssociated": ("id",),
    "k.engage.locationUpdated": ("lat", "lng"),
}
RESPONSES = {
    204: OpenApiResponse(description="Done; SDKs read no body."),
    401: UNAUTHORISED,
    422: INVALID,
}


def read_told(kind: str, data: dict[str, Any], *, now: datetime) -> DeviceEvent:
    """Give the event an old request stands for; unlike an event it may be refused."""
    sent = {"uuid": str(uuid4()), "type": kind, "timestamp": int(now.timestamp() * 1000)}
    event = read_event({**sent, "data": data}, now=now)
    if event is None or event.effect is None:
        wrong = {key: ["Missing, or not what SDKs send."] for key in NEEDED.get(kind, ())}
        raise ValidationError(wrong or "The body is not what SDKs send.")
    return event


class LegacyInstalls(DeviceViewSet):
    """What old SDKs tell of one install, one request for each thing."""

    @extend_schema(summary="Tell what runs where", request=OpenApiTypes.OBJECT, responses=RESPONSES)
    def track(self, request: Request, install_uid: str) -> Response:
        """Keep the details of the install."""
        return self._tell(install_uid, "k.stats.installTracked", json_object(request))

    @extend_schema(
        summary="Register a push token", request=OpenApiTypes.OBJECT, responses=RESPONSES
    )
    def register(self, request: Request, install_uid: str) -> Response:
        """Make this the install's one token."""
        return self._tell(install_uid, "k.push.deviceRegistered", json_object(request))

    @extend_schema(summary="Drop the push token", responses=RESPONSES)
    def drop(self, request: Request, install_uid: str) -> Response:
        """Push to the install no more until it registers again."""
        del request
        return self._tell(install_uid, "k.push.deviceUnsubscribed", {})

    @extend_schema(summary="Report an open", request=OpenApiTypes.OBJECT, responses=RESPONSES)
    @once_per_key
    def open(self, request: Request, install_uid: str) -> Response:
        """Record that a notification was tapped."""
        return self._tell(install_uid, "k.push.opened", json_object(request))

    @extend_schema(summary="Sign a user in", request=OpenApiTypes.OBJECT, responses=RESPONSES)
    def sign_in(self, request: Request, install_uid: str) -> Response:
        """Make this the install's current user."""
        return self._tell(install_uid, "k.stats.userAssociated", json_object(request))

    @extend_schema(summary="Report a location", request=OpenApiTypes.OBJECT, responses=RESPONSES)
    def locate(self, request: Request, install_uid: str) -> Response:
        """Keep where the device was last."""
        return self._tell(install_uid, "k.engage.locationUpdated", json_object(request))

    def _tell(self, install_uid: str, kind: str, data: dict[str, Any]) -> Response:
        uid = read_install_uid(install_uid)
        told = read_told(kind, data, now=timezone.now())
        record_events(app=self.app, install_uid=uid, events=[told])
        return Response(status=204)
