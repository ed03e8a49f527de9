"""What the lock files promise: every direct dependency pinned with hashes, no host named."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)(\[[^\]]*\])?==(?P<version>\S+)(?P<rest>.*)$")


def lock_problems(root: Path) -> list[str]:
    """Return what is wrong with the lock files, nothing when they keep their promise."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    wanted = {
        "requirements.lock": shipped,
        "requirements-dev.lock": [*shipped, *groups["dev"]],
        "requirements-flower.lock": groups["flower"],
    }
    found = {name: (root / name).read_text(encoding="utf-8") for name in wanted}
    problems = [line for name in wanted for line in _problems(name, found[name], wanted[name])]
    return [*problems, *_disagreements(found["requirements.lock"], found["requirements-dev.lock"])]


def pins(lock: str) -> dict[str, str]:
    """Return the pinned version of each package; one that differs by platform lists them all."""
    found: dict[str, str] = {}
    for line in lock.splitlines():
        if (pin := PIN.match(line)) is not None:
            name = canonical(pin["name"])
            found[name] = f"{found[name]} {pin['version']}" if name in found else pin["version"]
    return found


def canonical(name: str) -> str:
    """Return the one spelling of a package name (packaging.python.org, "Name normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _problems(name: str, lock: str, wanted: list[str]) -> Iterator[str]:
    pinned = pins(lock)
    for requirement in wanted:
        match = NAME.match(requirement)
        assert match is not None, requirement
        package = canonical(match.group())
        if package not in pinned:
            yield f"{name}: {package} is not pinned"
        elif (exact := _exact(requirement)) is not None and exact not in pinned[package].split():
            yield f"{name}: {package} is pinned to {pinned[package]}, pyproject says {exact}"
    if "://" in lock or "--index" in lock or "--find-links" in lock:
        yield f"{name}: names a package host"
    yield from (f"{name}: {entry} has no hash" for entry in _unhashed(lock))


def _exact(requirement: str) -> str | None:
    found = re.search(r"==([^\s;,]+)", requirement.partition(";")[0])
    return found[1] if found is not None else None


def _unhashed(lock: str) -> Iterator[str]:
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    for entry in entries:
        if PIN.match(entry.partition("\n")[0]) and "--hash=sha256:" not in entry:
            yield entry.partition("\n")[0]


def _disagreements(shipped: str, development: str) -> Iterator[str]:
    developed = pins(development)
    for package, version in pins(shipped).items():
        if developed.get(package) != version:
            yield (
                f"requirements-dev.lock: {package} is {developed.get(package, 'missing')},"
                f" requirements.lock has {version}"
            )
