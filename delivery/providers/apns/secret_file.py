"""A secret as a file, for libraries that read nothing else."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lend_file(pem: str) -> Iterator[str]:
    """Lend a path to a PEM, because TLS libraries read certificates from files only.

    It is a file in memory where the system has such files, else one only we can read.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(pem)
            file.flush()
            yield file.name
        return
    handle = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(handle, pem.encode())
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
