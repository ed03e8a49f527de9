"""Every ConnectyCube route, on every host."""

from gateway.connectycube.events.routes import routes as events
from gateway.connectycube.sessions.routes import routes as sessions
from gateway.connectycube.subscriptions.routes import routes as subscriptions
from gateway.connectycube.users.routes import routes as users

urlpatterns = [*sessions, *subscriptions, *events, *users]
