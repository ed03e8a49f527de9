"""Where a checkout keeps what it is running: everything is under `.dev/`."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.errors import StackError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Place:
    """The files of one development stack."""

    base: Path = ROOT / ".dev"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it runs."""
        return self.base / "run.lock"

    @property
    def demo(self) -> Path:
        """What a newcomer needs to send a first push; written before READY."""
        return self.base / "demo.json"

    @property
    def addresses(self) -> Path:
        """The environment that leads other commands to the running engines."""
        return self.base / "environment.json"

    @property
    def schema(self) -> Path:
        """The mark of the schema that was last migrated to."""
        return self.base / "schema.json"

    @property
    def ports(self) -> Path:
        """Where the simulator listened the last time."""
        return self.base / "ports.json"

    @property
    def simulator(self) -> Path:
        """The simulator's own folder: its certificates, keys and facts."""
        return self.base / "simulator"

    def forget_addresses(self) -> None:
        """Remove what is only true while the stack runs."""
        for path in (self.demo, self.addresses):
            path.unlink(missing_ok=True)

    def secret_key(self) -> str:
        """Return this checkout's SECRET_KEY, made once: credentials are sealed with it."""
        path = self.base / "secret_key"
        if not path.is_file():
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii")

    def environment(self, given: dict[str, str]) -> dict[str, str]:
        """Return what every process of ours runs with, on top of the caller's own environment."""
        kept = {name: value for name, value in os.environ.items() if name != "PGPORT"}
        environ = {**kept, **given}
        if not environ.get("SECRET_KEY") and "SECRET_KEY_FILE" not in environ:
            environ["SECRET_KEY"] = self.secret_key()
        environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
        environ.setdefault("GATEWAY_METRICS_DIR", str(self.base / "metrics"))
        environ["PYTHONUNBUFFERED"] = "1"
        # macOS ends a forked child that touches its frameworks; a prefork worker is one
        environ["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
        return environ


def make_private(folder: Path) -> None:
    """Create a folder nobody else can look into; one that exists keeps its permissions."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot create {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise StackError(f"cannot write to {folder}; was it made by another user?")


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    draft = path.with_name(f"{path.name}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def write_json(path: Path, facts: dict[str, Any]) -> None:
    """Write facts only their owner can read, whole or not at all."""
    write_private(path, json.dumps(facts, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return written facts, nothing where there are none."""
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return facts
