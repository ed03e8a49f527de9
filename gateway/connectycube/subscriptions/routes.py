"""Where subscriptions answer."""

from gateway.connectycube.paths import both
from gateway.connectycube.subscriptions.views import Subscriptions

routes = [
    *both("subscriptions", Subscriptions.as_view({"post": "create", "get": "browse"})),
    *both("subscriptions/<number:subscription_id>", Subscriptions.as_view({"delete": "destroy"})),
]
