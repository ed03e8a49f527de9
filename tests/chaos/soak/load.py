"""The mixed load of a soak: what an app and its phones do all day, in no particular order."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.chaos.asking import push_to_one, schedule_broadcast
from tests.journeys.stack import Answer, Stack

CROWD = 300
"""Devices of each provider nobody looks at; a few phones beside them register and tap."""

PHONES = 2


MOST_WAITING = 60
"""Batches due and not taken up: with more, broadcasts would only pile up."""

BACKLOG = """
SELECT count(*) FROM delivery_batch WHERE state = 'waiting' AND next_attempt_at <= now()
"""


class Load:
    """Asks one thing at a time, and keeps what it was told."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self.told: set[int] = set()
        self.refused = 0
        self.withheld = 0
        self._stack = stack
        self._chance = chance
        self._deeds = {
            self.push_to_somebody: 20,
            self.broadcast: 2,
            self.schedule: 1,
            self.schedule_locally: 1,
            self.cancel: 1,
            self.register: 1,
            self.tap: 2,
        }

        self._to_many = (self.broadcast, self.schedule, self.schedule_locally, self.cancel)

    def begin(self) -> None:
        """Have the crowd."""
        for transport in ("apns", "fcm"):
            self._stack.tokens(CROWD, transport)
        self.register()

    def do_something(self) -> None:
        """Do what is next; what goes to many only if the machine is done with most of what did."""
        [deed] = self._chance.choices(list(self._deeds), list(self._deeds.values()))
        if deed in self._to_many and self._backlog() > MOST_WAITING:
            self.withheld += 1
            return
        deed()

    def push_to_somebody(self) -> None:
        self._keep(push_to_one(self._stack, self._chance.randint(1, CROWD)))

    def broadcast(self) -> int | None:
        return self._ask(broadcast=True, ttl=3600)

    def _backlog(self) -> int:
        with self._stack.database() as database:
            [(batches,)] = database.execute(BACKLOG).fetchall()
        return int(batches)

    def schedule(self) -> None:
        seconds = self._chance.uniform(0, 20)
        try:
            self.told.add(schedule_broadcast(self._stack, seconds=seconds))
        except AssertionError:
            self.refused += 1

    def schedule_locally(self) -> None:
        at = datetime.now(UTC) + timedelta(minutes=1)
        schedule = {"strategy": "local", "sendAt": f"{at:%Y-%m-%d %H:%M}", "pastTimes": "ignore"}
        self._ask(broadcast=True, scheduled=True, schedule=schedule)

    def cancel(self) -> None:
        if (notification := self.broadcast()) is not None:
            self._stack.call("DELETE", f"/notifications/{notification}")

    def register(self) -> None:
        keys = {"gateway": self._stack.url}
        keys |= {name: self._stack.app[name] for name in ("api_key", "secret_key")}
        self._stack.control.delete("/phones")
        for platform in ("ios", "android"):
            self._stack.control.post("/phones", {"platform": platform, "count": PHONES, **keys})

    def tap(self) -> None:
        self._stack.control.post("/phones/tap", {"fraction": 0.5})

    def _ask(self, **said: Any) -> int | None:
        return self._keep(
            self._stack.call("POST", "/notifications", {"title": "T", "message": "M", **said})
        )

    def _keep(self, answer: Answer) -> int | None:
        if answer.status != 201:
            self.refused += 1
            return None
        self.told.add(int(answer.body["id"]))
        return int(answer.body["id"])
