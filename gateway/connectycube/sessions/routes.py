"""Where sessions answer."""

from gateway.connectycube.paths import both
from gateway.connectycube.sessions.views import Logins, OtherSessions, Sessions

routes = [
    *both(
        "session",
        Sessions.as_view({"post": "create", "get": "retrieve", "delete": "destroy"}),
    ),
    *both("session/list", OtherSessions.as_view({"delete": "destroy"})),
    *both("login", Logins.as_view({"post": "create", "delete": "destroy"})),
]
