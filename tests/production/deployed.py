"""The gateway as docker/compose.yaml starts it, without containers.

The same commands and environments, in a tree of what the image has in it, with secrets from files.
What only development needs cannot be imported there.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from devstack.lockfiles import canonical, pins
from devstack.place import ROOT
from tests.journeys.stack import Stack, wait_until
from tests.production import files

NOT_HERE = """
import sys

class NotInTheImage:
    names = {names!r}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{{name}} is not in the image", name=name)

sys.meta_path.insert(0, NotInTheImage())
"""


def development_modules() -> set[str]:
    """Give the modules of packages that are pinned for development alone."""
    shipped, all_of_them = (
        set(pins((ROOT / name).read_text()))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    return {
        module
        for module, packages in packages_distributions().items()
        if {canonical(package) for package in packages} <= all_of_them - shipped
    }


class Deployed(Stack):
    """One deployment; services are known by their names in the compose file."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.folder = base / "app"
        self.secrets = base / "secrets"

    def start(self) -> None:
        """Bring it up in compose's order."""
        self._lay_out()
        compiled = [sys.executable, "-m", "compileall", "-q", self.folder]  # as the image is
        subprocess.run(compiled, check=True)
        subprocess.run([files.DOCKER / "secrets.sh", self.secrets], check=True, capture_output=True)
        urls = self.services.start()
        (self.secrets / "redis_url").chmod(0o600)
        (self.secrets / "redis_url").write_text(urls.redis_url + "\n")
        self.environ = self._environment(urls.database_url)
        assert self.run_once("migrate") == 0
        self.run_service("web")
        self.run_service("worker")
        for number in range(files.compose()["services"]["tick"]["deploy"]["replicas"]):
            self.run_service("tick", number)
        wait_until(
            "ready", lambda: self.call("GET", "/readyz", keys=None).status == 200, seconds=180
        )
        self.app = self.new_app()

    def run_service(self, service: str, number: int = 0) -> str:
        """Start one replica and give the name it is known by."""
        name = f"{service}-{number}"
        self.run(name, files.compose_commands()[service])
        return name

    def run_once(self, service: str) -> int:
        """Run a service that ends, and give its exit code."""
        return self.manage(files.compose_commands()[service]).returncode

    def manage(self, command: Iterable[object]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def new_app(self) -> dict[str, Any]:
        """Give the keys of an app made and let in as an operator does it."""
        made = self.manage(["python", "manage.py", "create_app", "Deployed", "--json"])
        keys: dict[str, Any] = json.loads(made.stdout)
        facts = self.simulator.facts
        apns, fcm = facts["apns"], facts["fcm"]
        there = ["--ca-file", facts["ca_file"], "--endpoint"]
        names = ["--key-id", apns["key_id"], "--team-id", apns["team_id"], "--topic", apns["topic"]]
        for words in (
            ["apns", apns["key_file"], *names, *there, facts["apns_url"]],
            ["fcm", fcm["service_account_file"], *there, facts["fcm_url"]],
        ):
            stored = self.manage(["python", "manage.py", "set_credential", keys["id"], *words])
            assert stored.returncode == 0, stored.stderr
        return keys

    def _lay_out(self) -> None:
        """Copy what the image copies, and shut out what it has not."""
        self.folder.mkdir(parents=True)
        for name in files.image_tree():
            if (ROOT / name).is_dir():
                shutil.copytree(
                    ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(ROOT / name, self.folder / name)
        guard = self.base / "guard"
        guard.mkdir()
        (guard / "sitecustomize.py").write_text(NOT_HERE.format(names=development_modules()))

    def _environment(self, database_url: str) -> dict[str, str]:
        said = files.image_environment() | files.compose()["services"]["web"]["environment"]
        said = {n: str(v).replace("/run/secrets", str(self.secrets)) for n, v in said.items()}
        return said | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.base),
            "PYTHONPATH": str(self.base / "guard"),
            # where the engines and the door are here; nothing else differs
            "DATABASE_URL": database_url,
            "GATEWAY_STATIC_ROOT": str(self.folder / "staticfiles"),
            "GRANIAN_HOST": "127.0.0.1",
            "GRANIAN_PORT": str(self.port),
        }
