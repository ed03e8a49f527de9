"""`manage.py set_credential APP_ID apns|fcm FILE …`: let an app in at a provider."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from crm.errors import DomainError
from crm.management.recorded import Recorded
from crm.models import App
from delivery.commands.credentials import OWN_PACE, StoreCredential, store_credential

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
            help="the .p8 key, the PEM of certificate and key, or the service account JSON",
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
            metavar="N",
            help="pushes a second, 0 for any number, `default` for what the provider takes;"
            " unsaid, it stays as it is",
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
        pace: int | None,
        **_: Any,
    ) -> None:
        """Store it."""
        app = App.objects.filter(pk=app_id).first()
        if app is None:
            raise CommandError(f"there is no app {app_id}")
        try:
            credential = store_credential(
                StoreCredential(
                    app=app,
                    provider=provider,
                    secret=file.read_text(encoding="utf-8"),
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


def _pace(text: str) -> int:
    if text == "default":
        return OWN_PACE
    pace = int(text)
    if not 0 <= pace <= MOST:
        raise ArgumentTypeError(f"{text} is not between 0 and {MOST:,}")
    return pace
