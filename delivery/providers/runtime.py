"""The one event loop a worker process owns; the only seam between its threads and the loop.

Nothing starts at import: the loop's thread begins with the first call, so a process that forks
gets a loop of its own (a thread does not survive into the child).
"""

import asyncio
import atexit
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from time import monotonic
from typing import Any, Generic, TypeVar

T = TypeVar("T")

READY_LIMIT = 64
"""Chunks that may wait for the consumer; past this the producer rests."""

PULSE = 0.5
"""Seconds a consumer waits for news before it looks after what else it has to do."""

GOODBYE = 5.0
"""Seconds granted to an iterator that is being closed, and to the loop at exit."""


class DeadlineExceeded(TimeoutError):
    """The work did not end in the time it was given; it has been told to stop."""


class Runtime:
    """A thread that runs one event loop for as long as the process lives."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._loop = _new_loop()
        self._adopted: set[asyncio.Task[Any]] = set()  # the loop itself holds tasks weakly
        self._thread = threading.Thread(target=self._run, name="provider-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """Give what a coroutine returns, or raise `DeadlineExceeded`."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except FutureTimeout:
            if future.done() and not future.cancelled():
                raise  # the work itself timed out, and says so
            raise DeadlineExceeded(f"no result within {timeout:g} s") from None
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin a coroutine on the loop and leave it to itself."""
        self._loop.call_soon_threadsafe(self._adopt, work)

    def stream(
        self,
        open_iterator: Callable[[], AsyncIterator[T]],
        deadline: float,
        *,
        meanwhile: Callable[[], None] | None = None,
    ) -> Generator[T]:
        """Yield what an async iterator yields, while it runs on the loop, for `deadline` seconds.

        The iterator is opened and closed on the loop. Leaving early, by `break`, by an exception
        such as a task's soft time limit or by the deadline, closes it there before this returns.
        `meanwhile` is called, in the caller's thread, every half second that brings nothing.
        """
        crossing = Crossing[T](self._loop)
        self._loop.call_soon_threadsafe(crossing.begin, open_iterator)
        try:
            yield from crossing.chunks(monotonic() + deadline, meanwhile)
        finally:
            crossing.leave(GOODBYE)

    def close(self) -> None:
        """Stop the loop and its thread; what still runs on it is cancelled."""
        if self.pid != os.getpid() or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GOODBYE)

    def _adopt(self, work: Coroutine[Any, Any, Any]) -> None:
        task = self._loop.create_task(work)
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            _cancel_all(self._loop)
            self._loop.close()


class Crossing(Generic[T]):
    """Chunks on their way from the loop to one thread; several cross at each waking."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ready: deque[T] = deque()
        self._news = threading.Semaphore(0)
        self._sleeping = False  # the consumer has run dry
        self._room = asyncio.Event()
        self._resting = False  # the producer is far enough ahead
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()

    def begin(self, open_iterator: Callable[[], AsyncIterator[T]]) -> None:
        """Start moving chunks; called on the loop."""
        self._task = self._loop.create_task(self._pump(open_iterator))
        self._task.add_done_callback(self._end)

    def chunks(self, ends_at: float, meanwhile: Callable[[], None] | None = None) -> Iterator[T]:
        """Yield chunks in the consumer's thread, and raise what the iterator raised."""
        while True:
            while self._ready:
                yield self._ready.popleft()
                self._make_room()
            if self._done.is_set() and not self._ready:
                break
            if not self._sleep(ends_at) and meanwhile is not None:
                meanwhile()
        if self._error is not None:
            raise self._error

    def leave(self, seconds: float) -> None:
        """Have the iterator closed on the loop, and wait for it so long at most."""
        if not self._done.is_set():
            self._loop.call_soon_threadsafe(self._cancel)
            self._done.wait(seconds)

    async def _pump(self, open_iterator: Callable[[], AsyncIterator[T]]) -> None:
        iterator = open_iterator()
        try:
            async for chunk in iterator:
                self._ready.append(chunk)
                self._wake()
                if len(self._ready) >= READY_LIMIT:
                    await self._rest()
        finally:
            if close := getattr(iterator, "aclose", None):
                await asyncio.wait_for(close(), GOODBYE)

    async def _rest(self) -> None:
        self._room.clear()
        self._resting = True
        if len(self._ready) >= READY_LIMIT:  # once more: the consumer may have been quick
            await self._room.wait()
        self._resting = False

    def _make_room(self) -> None:
        if self._resting and len(self._ready) <= READY_LIMIT // 2:
            self._resting = False
            self._loop.call_soon_threadsafe(self._room.set)

    def _sleep(self, ends_at: float) -> bool:
        """Wait for news no longer than a pulse; False where none came."""
        self._sleeping = True
        if self._ready or self._done.is_set():  # something came before we lay down
            self._sleeping = False
            return True
        left = ends_at - monotonic()
        if left <= 0:
            raise DeadlineExceeded("the answers did not end in time")
        return self._news.acquire(timeout=min(left, PULSE))

    def _wake(self) -> None:
        if self._sleeping:
            self._sleeping = False
            self._news.release()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            self._error = DeadlineExceeded("the loop was stopped")
        else:
            self._error = task.exception()
        self._done.set()
        self._wake()


def current() -> Runtime:
    """Give the runtime of this process, started on the first call."""
    global _current  # noqa: PLW0603 - one loop a process is the point of this module
    with _lock:
        if _current is None or _current.pid != os.getpid():
            _current = Runtime()
        return _current


def run(work: Coroutine[Any, Any, T], timeout: float) -> T:
    """Give what a coroutine returns when run on the process's loop."""
    return current().run(work, timeout)


def stream(
    open_iterator: Callable[[], AsyncIterator[T]],
    deadline: float,
    *,
    meanwhile: Callable[[], None] | None = None,
) -> Generator[T]:
    """Yield what an async iterator yields on the process's loop; see `Runtime.stream`."""
    return current().stream(open_iterator, deadline, meanwhile=meanwhile)


def close() -> None:
    """Stop this process's loop, if it was ever started; the next call starts another."""
    global _current
    with _lock:
        runtime, _current = _current, None
    if runtime is not None:
        runtime.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not made for every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with suppress(Exception):
        loop.run_until_complete(
            asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), GOODBYE)
        )
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())


def _forget() -> None:
    """Drop a parent's runtime in a forked child, and a lock another thread may have held."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


_current: Runtime | None = None
_lock = threading.Lock()
os.register_at_fork(after_in_child=_forget)
atexit.register(close)
