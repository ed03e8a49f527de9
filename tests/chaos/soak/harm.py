"""From time to time something is hurt, ours or the provider's."""

import random
import time
from collections.abc import Callable

from tests.chaos.broadcast import script
from tests.chaos.shim import Shim
from tests.chaos.victims import KINDS, backends, kill_one
from tests.journeys.stack import Stack, wait_until

PROVIDERS = {
    "provider slow": {"action": {"delay_ms": 300}},
    "provider silent at times": {"every": 50, "times": 10, "action": {"wire": "stall"}},
    "provider refuses streams": {"every": 7, "times": 50, "action": {"wire": "refuse"}},
    "provider says goaway": {"every": 60, "action": {"wire": "goaway", "goaway": {"last": "this"}}},
    "provider unavailable": {"every": 3, "times": 60, "action": {"status": 503, "retry_after": 2}},
}

READY_WITHIN = 120.0
"""Seconds until it calls itself ready again: not before work is done that a busy machine left."""

LAST_WORDS = 40
"""Lines of the log that are shown of a process that ended by itself."""


class Harm:
    """Hurts one thing at a time and puts it right; `done` counts by name.

    Processes of ours are killed only while `may_kill`: afterwards their memory is watched.
    """

    def __init__(self, stack: Stack, shim: Shim | None, chance: random.Random) -> None:
        self.done: dict[str, int] = {}
        self.fallen: list[str] = []
        self.may_kill = True
        self._stack = stack
        self._shim = shim
        self._chance = chance

    def do_one(self) -> str:
        """Hurt something, whatever it is, and give its name."""
        self._note_fallen("between faults")
        name, hurt = self._chance.choice(self._choices())
        hurt()
        self._note_fallen(name)
        try:
            wait_until("ready", self._is_ready, seconds=READY_WITHIN)
        except AssertionError as late:
            said = self._stack.call("GET", "/readyz", keys=None)
            raise AssertionError(f"after {name}, {late}; {said}; {self.fallen}") from None
        self.done[name] = self.done.get(name, 0) + 1
        return name

    def _is_ready(self) -> bool:
        return self._stack.call("GET", "/readyz", keys=None).status == 200

    def _note_fallen(self, when: str) -> None:
        """Start again what has ended by itself; what is killed has been started again already."""
        if ended := self._stack.revive():
            said = self._stack.log().rpartition("\n")[0].splitlines()[-LAST_WORDS:]
            self.fallen.append(
                f"{', '.join(ended)} ended by itself, {when}:\n  " + "\n  ".join(said)
            )

    def _choices(self) -> list[tuple[str, Callable[[], object]]]:
        stack = self._stack
        found: list[tuple[str, Callable[[], object]]] = [
            ("broker flushed", self._flush),
            ("broker frozen", self._freeze_broker),
            ("broker restarted", lambda: stack.restart_engine("valkey")),
            ("database restarted", lambda: stack.restart_engine("postgres")),
            ("database connections cut", self._cut),
        ]
        found += [(name, lambda rule=rule: script(stack, rule)) for name, rule in PROVIDERS.items()]
        if self._shim is not None:
            found.append(("disk full", self._fill_disk))
        if self.may_kill:
            found += [
                (f"killed: {kind}", lambda kind=kind: kill_one(stack, kind, self._chance))
                for kind in KINDS
            ]
        return found

    def _flush(self) -> None:
        with self._stack.broker() as broker:
            broker.flushall()

    def _freeze_broker(self) -> None:
        with self._stack.broker_away():
            time.sleep(2)

    def _cut(self) -> None:
        pids = backends(self._stack)
        with self._stack.database() as database:
            database.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", [pids])

    def _fill_disk(self) -> None:
        assert self._shim is not None
        with self._shim.disk_full():
            time.sleep(3)
