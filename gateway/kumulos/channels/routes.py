"""Where channels answer."""

from django.urls import path

from gateway.kumulos.channels.views import Channels

routes = [
    path("channels", Channels.as_view({"post": "create", "get": "browse"})),
    # before the channel itself: a uuid may hold slashes
    path(
        "channels/<anything:channel_id>/subscriptions",
        Channels.as_view({"post": "subscribe", "delete": "unsubscribe"}),
    ),
    path(
        "channels/<anything:channel_id>",
        Channels.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
