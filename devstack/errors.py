class StackError(Exception):
    """Something keeps the development stack from running; the text is what to show, no more."""


class AlreadyRunning(StackError):
    """The same thing runs in the same place; `pid` is who holds it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        super().__init__(f"already running here (pid {pid})")
