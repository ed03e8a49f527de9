"""A worker's pulse: it beats for as long as its loop turns and hears the broker."""

from typing import Any

from celery import bootsteps

from gateway.metrics.signs import pulse

EVERY = 1.0


class Listens(bootsteps.StartStopStep):
    """A step of Celery's consumer: begun once it listens, ended when it loses its broker."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, parent: Any) -> None:
        """Beat from now on, by the loop's own timer."""
        pulse.beat()
        self._timer = parent.timer.call_repeatedly(EVERY, pulse.beat)

    def stop(self, parent: Any) -> None:
        """Beat no more."""
        del parent
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
