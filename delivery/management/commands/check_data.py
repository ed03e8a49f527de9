"""`manage.py check_data [--days N] [--stop]`: is the data whole, and what is to be sent next."""

from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crm import clock
from crm.commands.resealing import reseal_all
from crm.errors import DomainError
from crm.models import App
from delivery import ledger, soundness
from delivery.commands.amend import cancel_notification, pause_sending
from delivery.models import Occurrence


class Command(BaseCommand):
    """Compare every counter with the ledger, open every secret, and list what is unfinished."""

    help = "Check the data, after a restore for instance, before workers are started on it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take how far back to look, and whether to stop what would be sent."""
        parser.add_argument(
            "--days", type=int, default=7, help="of the ledger to be counted (default 7)"
        )
        parser.add_argument(
            "--stop",
            action="store_true",
            help="pause what is under way and cancel what is overdue: it may have been sent before",
        )

    def handle(self, *, days: int, stop: bool, **_: Any) -> None:
        """Say what was found; fail where something is not as it must be."""
        now = clock.now()
        ledger.keep_partitions(today=now.date())
        problems = [
            *self._said("firings disagree with the ledger", self._disagreeing(days)),
            *self._said("days have no partition", soundness.missing_partitions(today=now.date())),
            *self._said("columns have secrets no key opens", _unreadable()),
        ]
        waiting = soundness.unfinished(now=now)
        for one in waiting:
            self.stdout.write(
                f"unfinished: notification {one.notification_id} of app {one.app_id}, {one.state} "
                f"since {one.due_at:%Y-%m-%d %H:%M}, {one.pending} pending"
            )
        if stop:
            self._stop(waiting)
        if problems:
            raise CommandError("; ".join(problems))
        self.stdout.write("the data is whole")

    def _disagreeing(self, days: int) -> Sequence[object]:
        return soundness.disagreeing(since=clock.now().date() - timedelta(days=days))

    def _said(self, what: str, found: Sequence[object]) -> list[str]:
        for one in found[:20]:
            self.stdout.write(f"{what}: {one}")
        return [f"{len(found)} {what}"] if found else []

    def _stop(self, waiting: Sequence[soundness.Unfinished]) -> None:
        for one in waiting:
            app = App.objects.get(pk=one.app_id)
            under_way = one.state in Occurrence.UNDER_WAY
            command = pause_sending if under_way else cancel_notification
            try:
                command(app=app, notification_id=one.notification_id)
            except DomainError as refusal:
                self.stdout.write(f"notification {one.notification_id}: {refusal}")
            else:
                word = "paused" if under_way else "cancelled"
                self.stdout.write(f"notification {one.notification_id}: {word}")


def _unreadable() -> list[str]:
    return [found.column for found in reseal_all(only_count=True) if found.unreadable]
