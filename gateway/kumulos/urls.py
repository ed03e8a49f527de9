"""Every Kumulos route, on every host: the vendor's five services share one path space."""

from django.urls import path, register_converter

from gateway.kumulos.cors import cross_origin
from gateway.kumulos.devices.views import DeviceEvents
from gateway.kumulos.notifications.views import Notifications


class AnythingConverter:
    """Matches a caller's own id: it may hold `/`, spaces and line breaks once decoded."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Give it as it is."""
        return value

    def to_url(self, value: str) -> str:
        """Give it as it is; Django percent-encodes."""
        return value


register_converter(AnythingConverter, "anything")

push = [
    path("notifications", Notifications.as_view({"post": "create"})),
    path(
        "notifications/<str:notification_id>/install-opens",
        Notifications.as_view({"get": "install_opens"}),
    ),
    path(
        "notifications/<str:notification_id>/user-opens",
        Notifications.as_view({"get": "user_opens"}),
    ),
]
devices = [
    path(
        "v1/app-installs/<anything:install_uid>/events",
        cross_origin(DeviceEvents.as_view({"post": "create"})),
    ),
]
urlpatterns = [*push, *devices]
