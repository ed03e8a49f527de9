"""What all Kumulos resources share: how callers sign in and how they are refused."""

from gateway.kumulos.auth import DeviceKey, ServerKey
from gateway.kumulos.errors import refuse
from gateway.rest.errors import Handler
from gateway.rest.viewset import WireViewSet


class KumulosViewSet(WireViewSet):
    """A resource that says no as Kumulos does."""

    def get_exception_handler(self) -> Handler:
        """Give the dialect's way of saying no."""
        return refuse


class DeviceViewSet(KumulosViewSet):
    """A resource of apps on devices."""

    authentication_classes = [DeviceKey]


class ServerViewSet(KumulosViewSet):
    """A resource of backends."""

    authentication_classes = [ServerKey]
