"""The console's pages, which stand in the admin's own namespace and behind its sign-in."""

from gateway.console.compose import routes as compose
from gateway.console.live import routes as live

pages = [*compose.routes, *live.routes]
