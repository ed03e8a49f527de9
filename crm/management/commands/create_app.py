"""`manage.py create_app NAME [--json]`: a new tenant and its keys, shown once."""

import json
from argparse import ArgumentParser
from typing import Any

from crm.commands.apps import NewApp, create_app
from crm.management.recorded import Recorded


class Command(Recorded):
    """Create an app and print its keys; only their fingerprints are kept."""

    help = "Create an app and print its keys, which cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the name and the form of the answer."""
        parser.add_argument("name")
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *, name: str, **options: Any) -> None:
        """Create it."""
        keys = as_json(create_app(name=name))
        if options["json"]:
            self.stdout.write(json.dumps(keys))
        else:
            for key, value in keys.items():
                self.stdout.write(f"{key:15} {value}")


def as_json(new: NewApp) -> dict[str, Any]:
    """Give the `app` object of `.dev/demo.json`: what backends and devices are set up with."""
    return {
        "id": new.app.id,
        "api_key": new.api_key,
        "secret_key": new.secret_key,
        "server_key": new.server_key,
        "application_id": new.app.id,
        "auth_key": new.auth_key,
        "auth_secret": new.auth_secret,
    }
