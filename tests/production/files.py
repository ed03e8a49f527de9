"""What docker/ says, read as data: which command each role runs, and with what around it."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from devstack.place import ROOT

DOCKER = ROOT / "docker"
ROLES = ("web", "worker", "worker-urgent", "tick", "migrate")

GIVEN = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")


def dockerfile() -> list[tuple[str, str]]:
    """Give the instructions of the image's last stage: a word and what follows it."""
    text = (DOCKER / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]
    last = max(place for place, (word, *_) in enumerate(found) if word == "FROM")
    return [(word, rest) for word, rest in found[last:]]


def image_command() -> list[str]:
    """Give what a container runs where nothing else is asked for."""
    [command] = [rest for word, rest in dockerfile() if word == "CMD"]
    return list(json.loads(command))


def image_environment() -> dict[str, str]:
    """Give what the image puts into the environment."""
    pairs = [pair for word, rest in dockerfile() if word == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def image_tree() -> list[str]:
    """Give what of this checkout is in the image."""
    copies = [rest.split() for word, rest in dockerfile() if word == "COPY"]
    return [copy[0] for copy in copies if not copy[0].startswith("--")]


def compose() -> dict[str, Any]:
    """Give the compose file with its anchors merged and every `${NAME:-default}` at its default."""
    found: dict[str, Any] = _filled(yaml.safe_load((DOCKER / "compose.yaml").read_text()))
    return found


def _filled(value: Any) -> Any:
    match value:
        case str():
            return GIVEN.sub(lambda found: found["default"], value)
        case list():
            return [_filled(one) for one in value]
        case dict():
            return {name: _filled(one) for name, one in value.items()}
    return value


def compose_commands() -> dict[str, list[str]]:
    """Give what each of our services runs."""
    services = compose()["services"]
    return {role: services[role].get("command") or image_command() for role in ROLES}


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each Kubernetes object and the name of its file."""
    for path in sorted((DOCKER / "kubernetes").glob("*.yaml")):
        if path.name != "kustomization.yaml":
            yield from ((path.name, found) for found in yaml.safe_load_all(path.read_text()))


def pods() -> dict[str, dict[str, Any]]:
    """Give the pod each role runs in."""
    kinds = {"Deployment", "Job"}
    return {
        found["metadata"]["name"]: found["spec"]["template"]["spec"]
        for _, found in manifests()
        if found["kind"] in kinds
    }


def kubernetes_commands() -> dict[str, list[str]]:
    """Give what each pod runs."""
    return {
        role: pod["containers"][0].get("command") or image_command() for role, pod in pods().items()
    }


def units() -> dict[str, dict[str, list[str]]]:
    """Give the service units by role; a setting may be there several times."""
    found = {}
    for path in sorted((DOCKER / "systemd").glob("*.service")):
        role = path.name.removeprefix("push-gateway-").split("@")[0].removesuffix(".service")
        found[role] = _settings(path)
    return found


def _settings(path: Path) -> dict[str, list[str]]:
    text = re.sub(r"\\\n\s*", "", path.read_text())
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, mark, value = line.partition("=")
        if mark and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def systemd_commands() -> dict[str, list[str]]:
    """Give what each unit runs."""
    return {role: shlex.split(unit["ExecStart"][0]) for role, unit in units().items()}


def essence(command: list[str]) -> list[str]:
    """Give a command without what may differ by place: where it is, how many, by what name."""
    words = [Path(command[0]).name, *command[1:]]
    for differs in ("--concurrency", "--hostname"):
        if differs in words:
            at = words.index(differs)
            del words[at : at + 2]
    return [word for word in " ".join(words).replace("--pidfile=", "--pidfile").split() if word]


def names_set(environment: Mapping[str, object]) -> set[str]:
    """Give the settings an environment has a value for, in itself or in a file."""
    return {name.removesuffix("_FILE") for name in environment}
