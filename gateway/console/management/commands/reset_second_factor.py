"""`manage.py reset_second_factor USERNAME`: somebody has lost their phone, and their codes."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from crm.management.recorded import Recorded
from gateway.console.operators import forget_factors


class Command(Recorded):
    """Take an operator's second factors away and sign them out everywhere.

    Where one is required they are asked for a new one when they next sign in. Be sure it is them.
    """

    help = "Forget an operator's authenticator, keys and recovery codes, and end their sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the name."""
        parser.add_argument("username")

    def handle(self, *, username: str, **_: Any) -> None:
        """Forget them."""
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"there is no operator {username}")
        forgotten = forget_factors(user)
        self.stdout.write(f"{username}: forgot {forgotten}; every session has ended")
