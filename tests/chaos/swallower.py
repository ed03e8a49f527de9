"""A network that swallows: what was connected stays so, and nothing said on it arrives any more.

Neither end is told, as with a firewall that forgot a connection, or a machine that lost its power.
"""

import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path

LOOK_EVERY = 0.2
BLOCK = 1 << 16


class Swallower:
    """Passes TCP connections on to a unix socket until told to `swallow` those there are."""

    def __init__(self, to: Path) -> None:
        self._to = str(to)
        self._over = False
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._swallowed: set[socket.socket] = set()
        self._ends: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self._selector.register(self._door, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._door.getsockname()[1])

    def swallow(self) -> int:
        """Let nothing more pass on the connections there are, and give how many those are."""
        with self._lock:
            self._swallowed |= self._ends
            return len(self._swallowed) // 2

    def close(self) -> None:
        self._over = True
        self._thread.join()
        for end in (*self._ends, self._door):
            end.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(LOOK_EVERY):
                with self._lock:
                    self._accept() if key.data is None else self._pass_on(key.fileobj, key.data)

    def _accept(self) -> None:
        near, _ = self._door.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._to)
        for end, other in ((near, far), (far, near)):
            self._ends.add(end)
            self._selector.register(end, selectors.EVENT_READ, other)

    def _pass_on(self, end: socket.socket, other: socket.socket) -> None:
        said = b""
        with suppress(OSError):
            said = end.recv(BLOCK)
            if said and end not in self._swallowed:
                other.sendall(said)
        if said:
            return
        # swallowed, the other end does not hear of it
        self._forget(end)
        if end not in self._swallowed:
            self._forget(other)

    def _forget(self, end: socket.socket) -> None:
        if end in self._ends:
            self._ends.remove(end)
            self._selector.unregister(end)
            end.close()
