"""`manage.py rotate_key APP_ID KIND [--overlap HOURS]`: a new key, the old one for a while more."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm.commands.keys import ROTATED, rotate_key
from crm.errors import DomainError
from crm.models import App, AppKey

HOURS = 24.0


class Command(BaseCommand):
    """Issue a key and print it; those of its kind end after the overlap."""

    help = "Give an app a new key, which cannot be shown again; the old one opens a while more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the app, the kind of key and for how long the old one opens."""
        parser.add_argument("app_id", type=int)
        parser.add_argument("kind", choices=[kind.value for kind in ROTATED])
        parser.add_argument(
            "--overlap",
            type=float,
            default=HOURS,
            metavar="HOURS",
            help=f"how long the old key still opens; 0 ends it now (default {HOURS:g})",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *, app_id: int, kind: str, overlap: float, **options: Any) -> None:
        """Rotate it."""
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise CommandError(f"there is no app {app_id}")
        try:
            new = rotate_key(app, AppKey.Kind(kind), overlap=timedelta(hours=overlap))
        except (DomainError, OverflowError, ValueError) as error:
            raise CommandError(str(error)) from error
        until = new.old_until.isoformat(timespec="seconds") if new.old_until else None
        if options["json"]:
            said = {"kind": new.kind.value, "key": new.secret, "old_until": until}
            self.stdout.write(json.dumps(said))
        else:
            self.stdout.write(f"{new.kind.value} key  {new.secret}")
            self.stdout.write(f"the old one opens until {until}" if until else "there was none")
