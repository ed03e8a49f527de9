"""`manage.py set_credential APP_ID apns|fcm FILE …`: let an app in at a provider."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from crm import clock
from crm.errors import DomainError
from crm.management.recorded import Recorded
from crm.models import App
from delivery.commands.credential_files import read_file
from delivery.commands.credentials import KEPT, Kept, StoreCredential, store_credential

MOST = 1_000_000


class Command(Recorded):
    """Check a provider credential and store it sealed, in place of an earlier one."""

    help = "Store what lets an app in at APNs or FCM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file and what it does not say itself."""
        parser.add_argument("app_id", type=int)
        parser.add_argument("provider", choices=["apns", "fcm"])
        parser.add_argument(
            "file",
            type=Path,
            help="the .p8 key, the .p12 or PEM of certificate and key, or the service account JSON",
        )
        parser.add_argument(
            "--passphrase-file", type=Path, help="holds what opens a .p12 or an encrypted key"
        )
        parser.add_argument("--key-id", default="", help="10 characters; with a .p8 key")
        parser.add_argument("--team-id", default="", help="10 characters; with a .p8 key")
        parser.add_argument("--topic", default="", help="the app's bundle id")
        parser.add_argument(
            "--only-topic", action="store_true", help="serve no other topic than --topic"
        )
        parser.add_argument(
            "--environment",
            default="",
            choices=["", "production", "sandbox"],
            help="serve one of Apple's worlds only",
        )
        parser.add_argument(
            "--endpoint", default="", metavar="URL", help="another address than the provider's"
        )
        parser.add_argument("--ca-file", type=Path, help="whom to believe at --endpoint")
        parser.add_argument(
            "--pace",
            type=_pace,
            default=SUPPRESS,  # one that is text would be read as if it had been said
            metavar="N",
            help="pushes a second, 0 for any number, `provider` for what the provider takes; as it"
            " was where nothing is said",
        )

    def handle(
        self,
        *,
        app_id: int,
        provider: str,
        file: Path,
        ca_file: Path | None,
        key_id: str,
        team_id: str,
        topic: str,
        only_topic: bool,
        environment: str,
        endpoint: str,
        passphrase_file: Path | None,
        pace: int | Kept | None = KEPT,
        **_: Any,
    ) -> None:
        """Store it."""
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise CommandError(f"there is no app {app_id}")
        try:
            passphrase = passphrase_file.read_text("utf-8").strip() if passphrase_file else ""
            handed = read_file(file.read_bytes(), passphrase=passphrase, now=clock.now())
            if handed.provider != provider:
                raise CommandError(f"{file} is for {handed.provider}, not for {provider}")
            credential = store_credential(
                StoreCredential(
                    app=app,
                    provider=provider,
                    secret=handed.secret,
                    key_id=key_id,
                    team_id=team_id,
                    topic=topic,
                    only_topic=only_topic,
                    environment=environment,
                    endpoint=endpoint,
                    ca_pem=ca_file.read_text(encoding="utf-8") if ca_file else "",
                    pace=pace,
                )
            )
        except (DomainError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"stored {credential}, version {credential.version}")


def _pace(text: str) -> int | None:
    if text == "provider":
        return None
    pace = int(text)
    if not 0 <= pace <= MOST:
        raise ArgumentTypeError(f"{text} is not between 0 and {MOST:,}")
    return pace
