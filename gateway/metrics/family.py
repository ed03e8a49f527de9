"""Where this process keeps its values: in files its whole family is read from, or in itself."""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from prometheus_client import values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.metrics.slots import Held, Slots, join_family

log = logging.getLogger(__name__)


class Family:
    """The slots this process and its children take part in, once it has joined."""

    def __init__(self) -> None:
        self.slots: Slots | None = None
        self._held: Held | None = None

    def join(self, role: str, number: int) -> None:
        """Keep values made from now on in the files of a family, children's likewise.

        `number` tells families of a role on one machine apart. Where there is no room for files the
        process goes on, and shows its own values alone.
        """
        try:
            self.slots, self._held = join_family(Path(settings.METRICS_DIR), role, number)
            self.slots.reserve(self._held.number)
        except OSError as fault:
            self.leave()
            self.slots = None
            log.warning("metrics are of single processes: %s", fault)
            return
        # read by the values each time they open a file
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.slots.folder)
        values.ValueClass = values.MultiProcessValue(self._number)  # type: ignore[no-untyped-call]

    def _number(self) -> int:
        """Give what the files of this process are named by: a slot, taken with its first value."""
        if self._held is None:
            assert self.slots is not None  # it was joined
            self._held = self.slots.take()
            with suppress(OSError):  # there was room for the parent's; counting must not stop work
                self.slots.reserve(self._held.number)
        return self._held.number

    def leave(self) -> None:
        """Let go of a parent's slot in a child: it stays the parent's, and ends with it."""
        if self._held is not None:
            os.close(self._held.descriptor)
            self._held = None


def merged(files: Iterable[str]) -> Iterable[Metric]:
    """Give what files of values say together."""
    return MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call,no-any-return]


family = Family()
"""The one of this process."""

os.register_at_fork(after_in_child=family.leave)
