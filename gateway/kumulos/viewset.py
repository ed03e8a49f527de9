"""What all Kumulos resources share: how callers sign in and how they are refused."""

from typing import Any

from gateway.kumulos.auth import DeviceKey, ServerKey
from gateway.kumulos.errors import refuse
from gateway.rest.body import json_object
from gateway.rest.errors import Handler
from gateway.rest.viewset import WireViewSet


class KumulosViewSet(WireViewSet):
    """A resource that says no as Kumulos does."""

    key_field = "idempotencyKey"

    def get_exception_handler(self) -> Handler:
        """Give the dialect's way of saying no."""
        return refuse

    def body(self) -> dict[str, Any]:
        """Give the JSON object that was sent."""
        return json_object(self.request)


class DeviceViewSet(KumulosViewSet):
    """A resource of apps on devices."""

    authentication_classes = [DeviceKey]
    door = "device"


class ServerViewSet(KumulosViewSet):
    """A resource of backends."""

    authentication_classes = [ServerKey]
    door = "server"
