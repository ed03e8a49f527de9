"""`manage.py report NOTIFICATION_ID [--json]`: what became of a notification."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from delivery import reports
from delivery.models import Notification


class Command(BaseCommand):
    """Print the funnel of a notification, in all and by transport."""

    help = "Print what became of a notification: targeted, accepted, opened and all the rest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the notification and the form of the answer."""
        parser.add_argument("notification_id", type=int)
        parser.add_argument("--json", action="store_true", help="one JSON object on stdout")

    def handle(self, *, notification_id: int, **options: Any) -> None:
        """Print it."""
        notification = Notification.objects.filter(pk=notification_id).first()
        if notification is None:
            raise CommandError(f"there is no notification {notification_id}")
        funnel = asdict(reports.funnel(notification))
        [shown] = reports.progress([notification], now=timezone.now())
        expected = shown.expected_at and shown.expected_at.isoformat(timespec="seconds")
        shares = {t: asdict(r) for t, r in reports.by_transport(notification).items()}
        if options["json"]:
            self.stdout.write(
                json.dumps({**funnel, "expected_finish_at": expected, "transports": shares})
            )
            return
        for name, value in funnel.items():
            self.stdout.write(f"{name:13} {value}")
        if not funnel["finished"]:
            self.stdout.write(f"{'expected':13} {expected or 'not known yet'}")
        for transport, share in shares.items():
            ends = ", ".join(f"{n} {verdict}" for verdict, n in share["outcomes"].items())
            self.stdout.write(
                f"{transport:13} {share['targeted']} targeted, {ends}, {share['opened']} opened"
            )
