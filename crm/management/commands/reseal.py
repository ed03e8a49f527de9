"""`manage.py reseal [--check]`: everything sealed, sealed with the first sealing key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm.commands.resealing import reseal_all


class Command(BaseCommand):
    """Seal every secret with the first of GATEWAY_SEALING_KEYS; may be broken off and repeated."""

    help = "Seal every secret with the first of GATEWAY_SEALING_KEYS, so that older keys can go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take whether to change anything."""
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; fail while anything is sealed with another key than the first",
        )

    def handle(self, **options: Any) -> None:
        """Say for each column what was found, and fail where a key is missing."""
        check, columns = options["check"], []
        for found in reseal_all(only_count=check):
            columns.append(found)
            verb = "sealed with an older key" if check else "sealed anew"
            self.stdout.write(
                f"{found.column:32} {found.current} as they should be, {found.older} {verb}, "
                f"{found.unreadable} unreadable"
            )
        if unreadable := sum(found.unreadable for found in columns):
            raise CommandError(f"{unreadable} secrets open with none of GATEWAY_SEALING_KEYS")
        if check and (older := sum(found.older for found in columns)):
            raise CommandError(f"{older} secrets need an older key still; run reseal")
