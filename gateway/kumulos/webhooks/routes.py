"""Where webhooks answer."""

from django.urls import path

from gateway.kumulos.webhooks.views import Webhooks

routes = [
    path("v1/webhooks", Webhooks.as_view({"get": "browse"})),
    path("v1/webhooks/events", Webhooks.as_view({"get": "events"})),
    path("v1/webhooks/<str:key>/replay", Webhooks.as_view({"post": "replay"})),
]
