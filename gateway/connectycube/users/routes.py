"""Where users answer."""

from gateway.connectycube.paths import both
from gateway.connectycube.users.views import Users

routes = [
    *both("users", Users.as_view({"post": "create", "get": "browse"})),
    *both("users/v2", Users.as_view({"get": "browse_v2"})),
    *both("users/by_login", Users.as_view({"get": "retrieve_by_login"})),
    *both("users/by_email", Users.as_view({"get": "retrieve_by_email"})),
    *both("users/by_tags", Users.as_view({"get": "browse_by_tags"})),
    *both("users/by_full_name", Users.as_view({"get": "browse_by_full_name"})),
    *both(
        "users/external/<anything:external_id>",
        Users.as_view({"get": "retrieve_external", "delete": "destroy_external"}),
    ),
    *both(
        "users/<number:user_id>",
        Users.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
    ),
]
