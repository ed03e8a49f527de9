"""Whose turn it is: the lanes of a queue, and within each lane its apps, one after another."""

from collections.abc import Sequence

from delivery.models.notification import Lane


class Turns:
    """What one process has served last; every process keeps its own."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[str]] = {}
        self._apps: dict[str, int] = {}

    def lanes(self, queue: str) -> Sequence[str]:
        """Give the lanes of a queue, the one served longest ago first."""
        known = self._lanes.setdefault(queue, [x.value for x in Lane if x.queue == queue])
        return tuple(known)

    def served(self, queue: str, lane: str) -> None:
        """Put a lane behind the others of its queue."""
        self._lanes[queue].remove(lane)
        self._lanes[queue].append(lane)

    def app_after(self, lane: str) -> int:
        """Give the id of the app the lane has come to; the next one is served next."""
        return self._apps.get(lane, 0)

    def came_to(self, lane: str, app_id: int) -> None:
        """Remember the app the lane has come to."""
        self._apps[lane] = app_id


turns = Turns()
"""The turns of this process."""
