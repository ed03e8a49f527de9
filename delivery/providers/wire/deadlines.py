"""Which streams have waited too long, without a timer or a timestamp for each."""

from collections import deque


class Deadlines:
    """Stream ids grow with time, so one note per sixteenth of the timeout covers them all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._grain = timeout / 16
        self._notes: deque[tuple[float, int]] = deque()  # (written no later than, highest id)

    def wrote(self, stream: int, now: float) -> None:
        """Note that streams up to this one had been written by now."""
        notes = self._notes
        if notes and now < notes[-1][0]:
            notes[-1] = (notes[-1][0], stream)
        else:
            notes.append((now + self._grain, stream))

    def overdue(self, now: float) -> int:
        """Return the highest stream whose time is over; 0 where there is none."""
        last = 0
        while self._notes and self._notes[0][0] + self._timeout <= now:
            last = self._notes.popleft()[1]
        return last
