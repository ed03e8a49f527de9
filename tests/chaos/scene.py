"""A provider that misbehaves, a gateway that pushes to it, and what must hold in the end."""

import json
import shutil
import threading
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.broadcast import IN_FLIGHT
from tests.chaos.desk import Desk
from tests.chaos.recovery import doubled, recover
from tests.chaos.waits import let_pass
from tests.journeys.stack import Stack, wait_until

PUSHES = 400
MANY = 2 * IN_FLIGHT
"""More than can be under way at once: some are still to come whatever happens to those."""
BURST = 50
"""More pushes than there are connections: a fresh one carries a single push first."""


def key_of(record: dict[str, Any]) -> str:
    """Give the id of the key that signed a push's provider token."""
    head = record["headers"]["authorization"].removeprefix("bearer ").partition(".")[0]
    return json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


@dataclass
class Scene:
    """One gateway with an app of its own; everything the simulator is told is told through here."""

    stack: Stack
    desk: Desk

    # -- what the provider does

    def script(self, *rules: dict[str, Any], provider: str = "apns", **settings: Any) -> None:
        """Have the provider misbehave so and not otherwise; without a word it is well again."""
        named = [{"match": {"provider": provider}, **rule} for rule in rules]
        self.stack.control.put("/script", {"rules": named, "settings": {provider: settings}})

    def summary(self) -> dict[str, Any]:
        """Give what the provider has counted."""
        return self.stack.control.get("/received/summary")

    def taken(self, provider: str = "apns") -> int:
        """Give how many pushes the provider took."""
        return self.summary()["accepted"][provider]

    def asked(self, provider: str = "apns") -> int:
        """Give how many pushes the provider was asked for."""
        return sum(self.summary()["answers"].get(provider, {}).values())

    def received(self) -> list[dict[str, Any]]:
        """Give what the provider was asked, oldest first."""
        return self.stack.control.get("/received?limit=100000")["records"]

    def new_key(self) -> dict[str, str]:
        """Have Apple give out another signing key, and give what a credential needs of it."""
        key = self.stack.control.post("/apns/keys", {})
        names = {"key_id": "key_id", "team_id": "team_id", "secret": "private_key"}
        return {ours: key[theirs] for ours, theirs in names.items()}

    def copy_of_the_simulator(self, name: str) -> Path:
        """Give a folder from which another simulator starts with the same keys and authority."""
        folder = self.stack.base / name
        shutil.copytree(self.stack.base / "simulator", folder)
        return folder

    def doubled(self) -> int:
        """Give how many pushes the provider took twice."""
        return doubled(self.stack)

    # -- what the gateway does

    def in_mid_broadcast(self, pushes: int = MANY, *, provider: str = "apns") -> int:
        """Begin to send to many, answers coming late; return when connections are in full use."""
        self.stack.tokens(pushes, provider)
        self.script({"action": {"delay_ms": 250}}, provider=provider)
        notification = self.stack.broadcast()
        wait_until("in mid-broadcast", lambda: self.taken(provider) > BURST)
        return notification

    def broadcast(self, pushes: int = PUSHES, *, provider: str = "apns", **said: Any) -> int:
        """Give so many devices to the app and send to everyone."""
        self.stack.tokens(pushes, provider)
        return self.stack.broadcast(**said)

    def batches(self, notification: int) -> list[dict[str, Any]]:
        """Give a send's batches: state, how often they were tried, why they wait, how long yet."""
        with self.stack.database() as database:
            cursor = database.execute(
                """SELECT b.state, b.tries, b.last_reason AS reason,
                          extract(epoch FROM b.next_attempt_at - now())::float AS wait
                     FROM delivery_batch b JOIN delivery_occurrence o ON o.id = b.occurrence_id
                    WHERE o.notification_id = %s ORDER BY b.id""",
                [notification],
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def postponed(self, notification: int, *, tries: int = 1) -> list[dict[str, Any]]:
        """Wait until every batch of a send waits for another try, having had so many."""

        def waiting() -> list[dict[str, Any]]:
            batches = self.batches(notification)
            late = [b for b in batches if b["state"] == "waiting" and b["tries"] >= tries]
            return late if batches and len(late) == len(batches) else []

        return wait_until(f"postponed, {self.batches(notification)}", waiting)

    def held(self, notification: int) -> list[str]:
        """Give why all batches of a send wait; nothing while one of them has not been tried."""
        reasons = [b["reason"] for b in self.batches(notification)]
        return reasons if all(reasons) else []

    def let_pass(self, seconds: int = 3600) -> None:
        """Let every wait that is stored come so much nearer; time itself goes on as ever."""
        let_pass(self.stack, seconds=seconds)

    def addresses(self) -> list[str]:
        """Give the addresses of the app's tokens."""
        with self.stack.database() as database:
            rows = database.execute(
                "SELECT value FROM crm_devicetoken WHERE app_id = %s", [self.stack.app["id"]]
            ).fetchall()
        return [value for (value,) in rows]

    def living(self) -> int:
        """Give how many of the app's tokens are alive."""
        with self.stack.database() as database:
            [(count,)] = database.execute(
                "SELECT count(*) FROM crm_devicetoken WHERE app_id = %s AND state = 'alive'",
                [self.stack.app["id"]],
            ).fetchall()
        return int(count)

    # -- what must hold

    def settled(
        self, name: str, notification: int, *, provider: str | None = "apns"
    ) -> dict[str, Any]:
        """Wait for the end of a send, now that a fault is over, and give its occurrence.

        Checked of any fault: counters and ledger agree and nothing is pending (`Stack.finished`);
        nothing was taken twice; the provider took what we call accepted, and of the rest at most
        what we call uncertain.
        """
        [occurrence] = recover(self.stack, name, notification)
        accepted, uncertain = occurrence["accepted"], occurrence["uncertain"]
        assert self.doubled() == occurrence["replayed"] == 0
        if provider is not None:  # else it has taken more than this send, or elsewhere
            assert accepted <= self.taken(provider) <= accepted + uncertain
        return occurrence

    def well_again(self, name: str, notification: int, **said: Any) -> dict[str, Any]:
        """Skip what waits are left of a send until it is over, and give what `settled` gives."""
        over = threading.Event()

        def skip() -> None:
            while not over.wait(0.2):
                self.let_pass()

        with ThreadPoolExecutor(1) as beside:
            skipping = beside.submit(skip)
            try:
                return self.settled(f"{name}, waits skipped", notification, **said)
            finally:
                over.set()
                skipping.result()
