"""Where peers live that are no dependencies of ours: made on first use under `build/`, then kept.

Versions and hashes are those of the lock files beside their senders; which host has the packages
is the business of pip and npm as they are set up here.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.sink import BUILD, Missing

SENDERS = Path(__file__).with_name("senders")
PYTHON_LOCK = SENDERS / "django_push.lock"
NODE = SENDERS / "node"
NODE_FILES = (NODE / "package-lock.json", NODE / "package.json")
MAKING = 400
"""Seconds one step may take; about 80 MB are fetched for either language."""


def python() -> str:
    """Give the Python that has the Python peers."""
    return str(_made((PYTHON_LOCK,), _make_python) / "bin" / "python")


def node_modules() -> Path:
    """Give the folder of the Node peers."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("no node and npm: apt-get install nodejs npm")
    return _made(NODE_FILES, _make_node) / "node_modules"


def _made(files: Sequence[Path], make: Callable[[Path], None]) -> Path:
    """Give the folder made from these files; half of one never counts."""
    described = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    folder = BUILD / f"peers-{hashlib.sha256(described).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / "complete").touch()
    return folder


def _make_python(folder: Path) -> None:
    _step([sys.executable, "-m", "venv", str(folder)], folder)
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "install", "-qq", "--no-input"]
    pinned = ["--require-hashes", "--only-binary", ":all:", "--root-user-action=ignore"]
    _step([*pip, *pinned, "-r", str(PYTHON_LOCK)], folder)


def _make_node(folder: Path) -> None:
    for file in NODE_FILES:
        shutil.copy(file, folder)
    _step(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def _step(command: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, check=False, cwd=folder, capture_output=True, text=True, timeout=MAKING
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"the peers were not installed in {MAKING} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).splitlines()
        why = next((line for line in said if "error" in line.lower()), "no reason given")
        raise Missing(f"the peers cannot be installed: {why[:200]}")
