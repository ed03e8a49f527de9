"""A port of one's own, for a process that serves no HTTP otherwise; none unless it is set."""

from django.conf import settings

from gateway.metrics.family import family
from gateway.metrics.server import Checks, Port
from gateway.metrics.signs import pulse


class Listening:
    """The port of a worker or a tick."""

    def __init__(self) -> None:
        self._port: Port | None = None

    def open(self, role: str, *, checks: Checks) -> None:
        """Take the port, before anything is forked; one that is taken stops the start."""
        if not settings.METRICS_PORT:
            return
        place = settings.METRICS_ADDRESS, settings.METRICS_PORT
        try:
            self._port = Port(*place, checks=checks, signs=pulse)
        except OSError as fault:
            reason = f"GATEWAY_METRICS_PORT: {place[0]}:{place[1]}: {fault.strerror}"
            raise SystemExit(f"configuration: {reason}") from None
        family.join(role, self._port.number)

    def begin(self) -> None:
        """Answer, where there is a port."""
        if self._port is not None:
            self._port.begin()
