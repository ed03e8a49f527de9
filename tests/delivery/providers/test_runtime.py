"""The seam between a worker's threads and its one event loop."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from delivery.providers import runtime
from delivery.providers.runtime import READY_LIMIT, DeadlineExceeded, Runtime


@pytest.fixture
def loop() -> Iterator[Runtime]:
    living = Runtime()
    yield living
    living.close()


class Source:
    """An async iterator that tells when, where and how it was closed."""

    def __init__(self, count: int, pause: float = 0.0) -> None:
        self.count, self.pause = count, pause
        self.given = 0
        self.closed_in: threading.Thread | None = None

    async def open(self) -> AsyncIterator[int]:
        try:
            for number in range(self.count):
                if self.pause:
                    await asyncio.sleep(self.pause)
                self.given += 1
                yield number
        finally:
            self.closed_in = threading.current_thread()


def test_a_coroutine_runs_on_another_thread_and_gives_its_result(loop: Runtime) -> None:
    async def where() -> threading.Thread:
        return threading.current_thread()

    assert loop.run(where(), 5) is not threading.current_thread()


def test_what_a_coroutine_raises_is_raised(loop: Runtime) -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        loop.run(fail(), 5)


def test_a_timeout_of_the_works_own_is_not_taken_for_ours(loop: Runtime) -> None:
    async def fail() -> None:
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs") as raised:
        loop.run(fail(), 5)
    assert not isinstance(raised.value, DeadlineExceeded)


def test_a_coroutine_that_takes_too_long_is_cancelled(loop: Runtime) -> None:
    cancelled = threading.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cancelled.set()

    with pytest.raises(DeadlineExceeded):
        loop.run(linger(), 0.05)
    assert cancelled.wait(20)


def test_work_left_to_itself_is_done(loop: Runtime) -> None:
    done = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0.01)
        done.set()

    loop.start(work())
    assert done.wait(20)


@pytest.mark.parametrize("count", [0, 1, READY_LIMIT, 10_000])
def test_a_stream_yields_everything_in_order(count: int, loop: Runtime) -> None:
    source = Source(count)
    assert list(loop.stream(source.open, 5)) == list(range(count))
    assert source.closed_in is not None
    assert source.closed_in is not threading.current_thread()


def test_a_slow_consumer_holds_the_producer_back(loop: Runtime) -> None:
    source = Source(10_000)
    stream = loop.stream(source.open, 5)
    next(stream)
    time.sleep(0.1)
    assert source.given <= READY_LIMIT + 1
    assert sum(1 for _ in stream) == 9_999


@pytest.mark.parametrize("sizes", [(1, 0.001), (40, 0.0), (200, 0.0)])
def test_no_pace_of_the_two_leaves_either_asleep(sizes: tuple[int, float], loop: Runtime) -> None:
    every, nap = sizes
    total = 0
    for number in loop.stream(Source(500).open, 10):
        total += 1
        if number % every == 0:
            time.sleep(nap)
    assert total == 500


def test_what_the_iterator_raises_arrives_after_what_it_gave(loop: Runtime) -> None:
    async def fail() -> AsyncIterator[int]:
        yield 1
        raise ValueError("no")

    stream = loop.stream(fail, 5)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="no"):
        next(stream)


def test_an_iterator_that_cannot_be_opened_says_why(loop: Runtime) -> None:
    def refuse() -> AsyncIterator[int]:
        raise ValueError("not today")

    with pytest.raises(ValueError, match="not today"):
        list(loop.stream(refuse, 5))


def leave_by_break(stream: Iterator[int]) -> None:
    for _ in stream:
        break
    stream.close()  # type: ignore[attr-defined]


def leave_by_error(stream: Iterator[int]) -> None:
    next(stream)
    with pytest.raises(RuntimeError):
        stream.throw(RuntimeError())  # type: ignore[attr-defined]


def leave_by_deadline(stream: Iterator[int]) -> None:
    with pytest.raises(DeadlineExceeded):
        list(stream)


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_error, leave_by_deadline])
def test_leaving_early_closes_the_iterator_before_going_on(
    leave: Callable[[Iterator[int]], None], loop: Runtime
) -> None:
    source = Source(1_000, pause=0.02)
    leave(loop.stream(source.open, 0.2))
    assert source.closed_in is not None
    assert source.closed_in is not threading.current_thread()
    assert source.given < 20


def test_a_signal_handler_that_raises_ends_the_wait(loop: Runtime) -> None:
    """Celery's soft time limit comes this way."""

    class SoftTimeLimitExceeded(Exception):
        pass

    def expire(*_: object) -> None:
        raise SoftTimeLimitExceeded

    before = signal.signal(signal.SIGALRM, expire)
    source = Source(1, pause=30)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(SoftTimeLimitExceeded):
            list(loop.stream(source.open, 20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert source.closed_in is not None


def test_several_threads_may_stream_at_once(loop: Runtime) -> None:
    sums: list[int] = []

    def consume() -> None:
        sums.append(sum(loop.stream(Source(2_000).open, 10)))

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sums == [sum(range(2_000))] * 4


def test_closing_ends_what_still_runs_and_wakes_who_waits() -> None:
    living = Runtime()
    caught: list[BaseException] = []

    def consume() -> None:
        try:
            list(living.stream(Source(1, pause=30).open, 20))
        except DeadlineExceeded as error:
            caught.append(error)

    waiting = threading.Thread(target=consume)
    waiting.start()
    time.sleep(0.1)
    living.close()
    waiting.join(5)
    assert len(caught) == 1


def test_there_is_one_runtime_until_it_is_closed() -> None:
    runtime.close()
    first = runtime.current()
    assert runtime.current() is first
    assert runtime.run(asyncio.sleep(0, "done"), 5) == "done"
    assert list(runtime.stream(Source(3).open, 5)) == [0, 1, 2]
    runtime.close()
    assert runtime.current() is not first
    runtime.close()


def test_a_forked_child_gets_a_loop_of_its_own() -> None:
    """In a process of its own: forking this one, with its threads, would be warned about."""
    program = """
import asyncio, os, sys, warnings
from delivery.providers import runtime
warnings.simplefilter("ignore")
async def pid():
    return os.getpid()
assert runtime.run(pid(), 5) == os.getpid()
mine = runtime.current()
child = os.fork()
if child == 0:
    try:
        assert runtime.run(pid(), 5) == os.getpid()
        assert runtime.current() is not mine
        mine.close()  # the parent's thread is not here; nothing to stop, nothing to wait for
        runtime.close()
        os._exit(0)
    except BaseException:
        os._exit(1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert runtime.run(pid(), 5) == os.getpid()
print("both")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=os.environ | {"PYTHONPATH": os.curdir},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("both\n", "", 0)
