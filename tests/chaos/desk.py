"""An operator at work beside a running gateway: credentials are stored as the admin stores them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from devstack.place import ROOT

WORK = """
import json, os, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "gateway.settings"
django.setup()
from django.db import connection
from crm.models import App
from delivery.commands.credentials import StoreCredential, store_credential
for line in sys.stdin:
    said = json.loads(line)
    app = App.objects.get(pk=said.pop("app_id"))
    print(store_credential(StoreCredential(app=app, **said)).version, flush=True)
    connection.close()  # the next scenario may end it
"""


class Desk:
    """One process for all that is to be stored: most of it is the start."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=stack.environ,
        )

    def store(self, provider: str, **changes: Any) -> None:
        """Store the present app's credential for a provider anew, with something changed."""
        facts = self._stack.simulator.facts
        said = {
            "app_id": self._stack.app["id"],
            "provider": provider,
            "endpoint": facts[f"{provider}_url"],
            "ca_pem": Path(facts["ca_file"]).read_text(),
        }
        if provider == "apns":
            said |= {name: facts["apns"][name] for name in ("key_id", "team_id", "topic")}
            said["secret"] = Path(facts["apns"]["key_file"]).read_text()
        else:
            said["secret"] = Path(facts["fcm"]["service_account_file"]).read_text()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(said | changes), file=self._process.stdin, flush=True)
        assert self._process.stdout.readline(), "the credential was not stored"

    def leave(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)
