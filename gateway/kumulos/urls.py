"""Every Kumulos route, on every host: the vendor's five services share one path space."""

import gateway.rest.converters  # noqa: F401 - registers them, before any route is made
from gateway.kumulos.channels.routes import routes as channels
from gateway.kumulos.devices.routes import herd
from gateway.kumulos.devices.routes import routes as devices
from gateway.kumulos.in_app.routes import routes as in_app
from gateway.kumulos.notifications.routes import routes as notifications
from gateway.kumulos.segments.routes import routes as segments
from gateway.kumulos.templates.routes import routes as templates
from gateway.kumulos.users.routes import routes as users
from gateway.kumulos.webhooks.routes import routes as webhooks

# first what comes most: a broadcast brings a herd of devices, a backend a push for each order
urlpatterns = [
    *herd,
    *notifications,
    *devices,
    *channels,
    *segments,
    *users,
    *templates,
    *in_app,
    *webhooks,
]
