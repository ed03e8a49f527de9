"""Where events answer."""

from gateway.connectycube.events.views import Events
from gateway.connectycube.paths import both

ONE = Events.as_view({"get": "retrieve", "put": "update", "post": "update", "delete": "destroy"})

routes = [
    *both("events", Events.as_view({"post": "create", "get": "browse"})),
    *both("events/<number:event_id>", ONE),
    # of the ancestor's clients only
    *both("events/<number:event_id>/status", Events.as_view({"get": "retrieve"})),
]
