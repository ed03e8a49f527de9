"""Files that are made once and kept: written whole or not at all, readable by their owner only."""

import os
from collections.abc import Callable
from pathlib import Path


def kept(file: Path, make: Callable[[], bytes], *, replace: bool = False) -> bytes:
    """Return the file's content, making it first if it is not there yet (or is to be replaced)."""
    if replace or not file.exists():
        write(file, make())
    return file.read_bytes()


def write(file: Path, content: bytes) -> None:
    """Write the file so that a reader sees the old content or the new, never half of it."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(file)
