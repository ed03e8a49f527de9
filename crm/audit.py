"""Who is at work, told to the database for the length of a transaction.

Triggers of the database write the audit log (docs/adr/0023), so that no way of changing a row
passes it by. What they cannot see is who is behind a change: that is said here.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from django.db import connection, transaction

Via = Literal["admin", "command", "api"]

TELL = "SELECT set_config('gateway.actor', %s, true), set_config('gateway.by_hand', %s, true)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Whoever makes changes: an operator, a command of `manage.py`, a caller of an API.

    With `by_hand` changes of people and their devices are written down, too: one person makes few
    of them, while an import makes millions.
    """

    via: Via
    name: str
    operator_id: int | None = None
    request_id: str = ""
    address: str = ""
    by_hand: bool = False

    def as_json(self) -> str:
        """Give it as the triggers read it."""
        told = {
            "via": self.via,
            "name": self.name,
            "id": self.operator_id,
            "request": self.request_id,
            "address": self.address,
        }
        return json.dumps(told)


def act_as(actor: Actor) -> None:
    """Say who makes the changes of the transaction that is open, until it ends."""
    assert connection.in_atomic_block  # it would be forgotten at once
    with connection.cursor() as cursor:
        cursor.execute(TELL, [actor.as_json(), "on" if actor.by_hand else ""])


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Open a transaction whose changes are somebody's; it is undone where an error leaves it."""
    with transaction.atomic():
        act_as(actor)
        yield
