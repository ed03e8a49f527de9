"""What devices call; web pages of any origin may."""

from django.urls import path

from gateway.kumulos.cors import cross_origin
from gateway.kumulos.devices.views import DeviceEvents

routes = [
    path(
        "v1/app-installs/<anything:install_uid>/events",
        cross_origin(DeviceEvents.as_view({"post": "create"})),
    ),
]
