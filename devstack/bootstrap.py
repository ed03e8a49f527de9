"""From an empty clone to a running command: `python3 devstack/bootstrap.py COMMAND [args]`.

Only the standard library, and only syntax that an old Python can read: it must live long enough to
say which Python it wants. It builds `.venv` from the hash-pinned lock when that has changed, then
becomes `.venv/bin/python -m devstack COMMAND`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OLDEST_PYTHON = (3, 11)
INSTALL_DEADLINE = 900  # seconds; about 60 MB on a slow line
LOCK_DEADLINE = 900
PIP_FILES = ("~/.config/pip/pip.conf", "~/.pip/pip.conf", "/etc/pip.conf", "/etc/xdg/pip/pip.conf")
PIP_NAMES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")


class CannotInstall(Exception):
    """The environment could not be built; the text is the one line to show."""


def say(text: str) -> None:
    """Print one line about a slow step, at once."""
    print("bootstrap: " + text, flush=True)


def environment_stamp(root: Path) -> str:
    """Return what the installed environment depends on: lock, Python and place.

    A virtual environment holds absolute paths, so a moved checkout needs a new one.
    """
    lock = (root / "requirements-dev.lock").read_bytes()
    version = f"{platform.python_implementation()}-{platform.python_version()}"
    return hashlib.sha256(b"\n".join([lock, version.encode(), os.fsencode(root)])).hexdigest()


def is_installed(root: Path) -> bool:
    """Say whether `.venv` was completed from this lock, with this Python, in this place."""
    stamp = root / ".venv" / ".stamp"
    if not os.access(str(root / ".venv" / "bin" / "python"), os.X_OK) or not stamp.is_file():
        return False
    return stamp.read_text() == environment_stamp(root)


@contextmanager
def only_one(path: Path) -> Iterator[int]:
    """Hold the lock under which an environment is built, and yield its descriptor.

    The installer inherits the descriptor: should we be killed, the next bootstrap waits for the
    orphan to finish instead of building underneath it.
    """
    deadline = time.monotonic() + LOCK_DEADLINE
    with path.open("a") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise CannotInstall("another bootstrap still holds " + str(path)) from None
                if not told:
                    say("another bootstrap is at work in this checkout, waiting for it")
                told = True
                time.sleep(0.2)
        yield lock.fileno()


def pip_is_configured(environ: Mapping[str, str]) -> bool:
    """Say whether pip was told where its packages are: uv does not read pip's settings."""
    files = any(Path(name).expanduser().is_file() for name in PIP_FILES)
    return files or any(environ.get(name) for name in PIP_NAMES)


def run_step(command: Sequence[str], lock: int) -> bool:
    """Run one installer command and say whether it succeeded within its deadline."""
    try:
        done = subprocess.run(command, check=False, pass_fds=[lock], timeout=INSTALL_DEADLINE)
    except subprocess.TimeoutExpired:
        say(f"gave up after {INSTALL_DEADLINE} s")
        return False
    return done.returncode == 0


def install_with_uv(venv: Path, requirements: Path, python: str, lock: int) -> bool:
    """Build the environment with uv, where it is at hand and sees the same packages as pip."""
    uv = shutil.which("uv")
    if uv is None or pip_is_configured(os.environ):
        return False
    quiet = [uv, "--quiet", "--no-config"]
    sync = ["pip", "sync", "--python", str(venv / "bin" / "python"), "--require-hashes"]
    if run_step([*quiet, "venv", "--python", python, str(venv)], lock) and run_step(
        [*quiet, *sync, "--only-binary", ":all:", str(requirements)], lock
    ):
        return True
    say("uv could not do it, asking pip instead")
    shutil.rmtree(str(venv), ignore_errors=True)
    return False


def install_with_pip(venv: Path, requirements: Path, python: str, lock: int) -> None:
    """Build the environment with the standard library and the pip it carries."""
    if importlib.util.find_spec("ensurepip") is None:
        raise CannotInstall(
            "this Python cannot make virtual environments; on Debian or Ubuntu install"
            " python3-venv (apt-get install python3-venv), then run the same command again"
        )
    if not run_step([python, "-m", "venv", str(venv)], lock):
        raise CannotInstall("python3 -m venv failed; on Debian or Ubuntu install python3-venv")
    # twice quiet: errors only; warnings about a registry the user configured are not ours to repeat
    quiet = ["-qq", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"]
    pinned = ["--require-hashes", "--only-binary", ":all:", "--no-compile", "--no-user"]
    pip = [str(venv / "bin" / "python"), "-I", "-m", "pip", "install"]
    if not run_step([*pip, *quiet, *pinned, "-r", str(requirements)], lock):
        raise CannotInstall("pip could not install requirements-dev.lock; its words are above")


def install(root: Path, lock: int) -> None:
    """Build `.venv` from nothing; the stamp is written last, so half an install never counts."""
    venv, requirements = root / ".venv", root / "requirements-dev.lock"
    python = getattr(sys, "_base_executable", "") or sys.executable
    stamp = environment_stamp(root)
    lines = requirements.read_text().splitlines()
    count = sum("==" in line and line[:1].isalnum() for line in lines)
    say(f"building .venv: {count} pinned packages, about 60 MB ...")
    started = time.monotonic()
    if venv.exists():
        shutil.rmtree(str(venv))
    if not install_with_uv(venv, requirements, python, lock):
        install_with_pip(venv, requirements, python, lock)
    (venv / ".stamp").write_text(stamp)
    say(f"built .venv in {time.monotonic() - started:.1f} s")


def ensure_environment(root: Path) -> None:
    """Make `.venv` match the lock; does nothing, quickly, when it already does."""
    if is_installed(root):
        return
    with only_one(root / ".bootstrap.lock") as lock:
        if not is_installed(root):
            install(root, lock)


def check_python() -> None:
    """Refuse an old Python in one clear line."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    newer = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
    hint = f": make PYTHON={newer[0]} ..." if newer else ""
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    found = platform.python_version()
    raise CannotInstall(f"Python {wanted} or newer is needed, this is {found}{hint}")


def keep_bytecode(root: Path) -> None:
    """Keep bytecode in `.venv` where somebody wants none beside the sources.

    Without any, each process would compile some 2,000 modules anew: two seconds of its start, and a
    test run starts hundreds.
    """
    unwanted = os.environ.pop("PYTHONDONTWRITEBYTECODE", "")
    if unwanted and not os.environ.get("PYTHONPYCACHEPREFIX"):
        os.environ["PYTHONPYCACHEPREFIX"] = str(root / ".venv" / "bytecode")


def end_with_make() -> None:
    """Ask Linux to stop us when the `make` that started us is killed, and only then.

    A terminal's Ctrl-C reaches us by itself; kill -9 of make would otherwise leave us behind.
    """
    comm = Path(f"/proc/{os.getppid()}/comm")
    if "MAKELEVEL" not in os.environ or not comm.is_file():
        return
    if comm.read_text().strip() not in ("make", "gmake"):
        return
    import ctypes  # noqa: PLC0415 - only where it is used: some Pythons are built without it

    pr_set_pdeathsig = 1  # prctl(2)
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM, 0, 0, 0)


def stop_politely(signum: int, _frame: object) -> None:
    """Turn a signal into an exception, so that a running installer is ended with us."""
    sys.exit(128 + signum)


def main(arguments: Sequence[str]) -> None:
    """Make the environment ready and become the asked command; returns only by exiting."""
    root = Path(__file__).resolve().parent.parent
    os.chdir(str(root))
    signal.signal(signal.SIGTERM, stop_politely)
    try:
        end_with_make()
        check_python()
        ensure_environment(root)
    except CannotInstall as problem:
        sys.exit(f"bootstrap: {problem}")
    except OSError as problem:
        sys.exit(f"bootstrap: cannot build .venv here: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
    keep_bytecode(root)
    python = str(root / ".venv" / "bin" / "python")
    os.execv(python, [python, "-m", "devstack", *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:] or ["help"])
