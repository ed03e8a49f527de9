"""What is being worked on: the request that asked, and the rows it is about, for logs and spans."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being answered, or of the one that asked for what is being sent."""

NOTHING: Mapping[str, int | str] = {}

_subject: ContextVar[Mapping[str, int | str]] = ContextVar("subject", default=NOTHING)


def fresh_id() -> str:
    """Give 32 hexadecimal digits nobody else has been given: a name, and no secret.

    Asking the system for them lets go of the interpreter, which a busy process gets back late.
    """
    return f"{random.getrandbits(128):032x}"


def subject() -> Mapping[str, int | str]:
    """Give what the present work is about, by name: `notification`, `occurrence`, `batch`."""
    return _subject.get()


def mention(**names: int | str) -> None:
    """Have lines from here on name these, too, until the work they belong to is over."""
    _subject.set({**_subject.get(), **names})


def forget() -> None:
    """Have lines from here on name nothing: the work is over."""
    _subject.set(NOTHING)


@contextmanager
def about(request: str | None = None, **names: int | str) -> Iterator[None]:
    """Have all lines inside name these, and the request where one is given; then as before."""
    mark = _subject.set({**_subject.get(), **names})
    asked = request_id.set(request) if request else None
    try:
        yield
    finally:
        _subject.reset(mark)
        if asked is not None:
            request_id.reset(asked)
