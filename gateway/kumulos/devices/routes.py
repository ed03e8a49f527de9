"""What devices call; web pages of any origin may."""

from typing import Any

from django.urls import URLPattern, path

from gateway.kumulos.cors import cross_origin
from gateway.kumulos.devices.channels.views import DeviceChannels, InstallChannels, UserChannels
from gateway.kumulos.devices.legacy import LegacyInstalls
from gateway.kumulos.devices.views import DeviceEvents
from gateway.kumulos.devices.web_config import WebConfig
from gateway.rest.cors import View

LISTING: dict[str, Any] = {"get": "list"}
SUBSCRIBING: dict[str, Any] = {"post": "join", "put": "replace", "delete": "leave"}


def opened(route: str, view: View) -> URLPattern:
    """Give a route that web pages may call."""
    return path(route, cross_origin(view))


INSTALL = "v1/app-installs/<anything:install_uid>"

legacy = [
    opened(f"{INSTALL}/push-token", LegacyInstalls.as_view({"put": "register", "delete": "drop"})),
    opened(f"{INSTALL}/opens", LegacyInstalls.as_view({"post": "open"})),
    opened(f"{INSTALL}/user-id", LegacyInstalls.as_view({"put": "sign_in"})),
    opened(f"{INSTALL}/location", LegacyInstalls.as_view({"put": "locate"})),
    # one segment only: any more of them is a route nobody knows
    opened("v1/app-installs/<str:install_uid>", LegacyInstalls.as_view({"put": "track"})),
]

herd = [opened(f"{INSTALL}/events", DeviceEvents.as_view({"post": "create"}))]

routes = [
    opened("v1/channels", DeviceChannels.as_view({"post": "create"})),
    opened("v1/app-installs/<anything:uid>/channels", InstallChannels.as_view(LISTING)),
    opened(
        "v1/app-installs/<anything:uid>/channels/subscriptions",
        InstallChannels.as_view(SUBSCRIBING),
    ),
    opened("v1/users/<anything:uid>/channels", UserChannels.as_view(LISTING)),
    opened("v1/users/<anything:uid>/channels/subscriptions", UserChannels.as_view(SUBSCRIBING)),
    opened("v1/web/config", WebConfig.as_view({"get": "retrieve"})),
    *legacy,
]
