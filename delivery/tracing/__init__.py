"""Spans from a request to its provider's answer; where no receiver is set, nothing at all.

What is traced names its parent by a W3C traceparent, which a notification keeps: planning and
sending happen in other processes, perhaps days later.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from django.conf import settings

if TYPE_CHECKING:
    from delivery.tracing.otlp import Tracing

Fact = str | int | float | bool


class Span(Protocol):
    """Something that takes its time."""

    def note(self, **facts: Fact) -> None:
        """Say more of it; `__` in a name stands for a dot."""

    def rename(self, name: str) -> None:
        """Give it a better name."""

    def fail(self, why: str) -> None:
        """Mark it as gone wrong."""


class Untold:
    """A span nobody wants to hear of."""

    def note(self, **facts: Fact) -> None:
        """Forget it."""

    def rename(self, name: str) -> None:
        """Forget it."""

    def fail(self, why: str) -> None:
        """Forget it."""


UNTOLD = Untold()

_tracing: "tuple[int, Tracing] | None" = None


@contextmanager
def span(
    name: str, *, parent: str | None = None, kind: str = "internal", **facts: Fact
) -> Iterator[Span]:
    """Trace what happens inside, under `parent` or under the span it happens in.

    What is raised inside marks it as gone wrong. A `__` in a fact's name stands for a dot.
    """
    if not settings.OTLP_ENDPOINT:
        yield UNTOLD
        return
    with _of_this_process().span(name, parent=parent, kind=kind, facts=facts) as told:
        yield told


def traceparent() -> str | None:
    """Give what a later span names as its parent to go on with the present trace."""
    return _of_this_process().traceparent() if settings.OTLP_ENDPOINT else None


def close() -> None:
    """Send what is left, within a deadline; a process that is about to end asks for it."""
    if _tracing is not None and _tracing[0] == os.getpid():
        _tracing[1].close()


def _of_this_process() -> "Tracing":
    # made on first need: what sends has a thread, and a thread does not survive a fork
    global _tracing  # noqa: PLW0603 - one for each process
    if _tracing is None or _tracing[0] != os.getpid():
        from delivery.tracing.otlp import Tracing  # noqa: PLC0415 - not paid for where it is off

        _tracing = os.getpid(), Tracing(settings.OTLP_ENDPOINT)
    return _tracing[1]
