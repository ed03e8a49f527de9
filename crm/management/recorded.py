"""Commands whose changes the audit log lays at somebody's door."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand

from crm.audit import Actor, acting


def at_the_keyboard(command: str) -> Actor:
    """Give whoever runs a command: its name, and the operating system's user."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "somebody"
    return Actor(via="command", name=f"{user}, manage.py {command}")


class Recorded(BaseCommand):
    """A command that is one transaction, with whoever runs it known to the audit log."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it; what it has written is undone where it fails."""
        name = type(self).__module__.rpartition(".")[2]
        with acting(at_the_keyboard(name)):
            return super().execute(*args, **options)
