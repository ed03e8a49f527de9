"""How long a push to one person takes, idle and beside a broadcast; how late a scheduled one is.

From the moment the gateway takes a request, or the one a push is scheduled for, to the moment the
provider has it: the gateway's clock and the sink's are the machine's.
"""

import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.attempt import attempt
from benchmarks.fanout import DEADLINE, LARGE
from benchmarks.figures import Bar, Report, at_most, say, summarise
from benchmarks.gateway import Gateway
from benchmarks.plan import Plan
from benchmarks.sink import Arrivals, running
from benchmarks.turns import WrongResult

IDLE, DUE = 300, 100
PAUSE = 0.03
"""Seconds between two pushes: nobody waits for the one before."""

AHEAD = 4
PEOPLE = 1000

ASKED = """
SELECT ('x' || right(t.value, 16))::bit(64)::bigint, extract(epoch FROM {since}) * 1000000
  FROM delivery_notification n JOIN delivery_occurrence o ON o.notification_id = n.id
  JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id
  JOIN crm_devicetoken t ON t.id = d.token_id
 WHERE n.id = ANY(%s) AND d.verdict = 'accepted' ORDER BY 2
"""
"""The token of each push, by its last 16 digits, and the microsecond it was asked for."""


class Told(NamedTuple):
    """A figure of every round, of so many pushes or more."""

    n: int
    unit: str = "ms"
    bar: Bar | None = None


FIGURES = {
    "latency.urgent.idle.p50_ms": Told(IDLE),
    "latency.urgent.idle.p99_ms": Told(IDLE),
    "latency.urgent.busy.p99_ms": Told(IDLE, bar=at_most(1000)),
    "latency.urgent.busy_ratio": Told(IDLE, "x", at_most(3)),
    "latency.due.p99_ms": Told(DUE, bar=at_most(2000)),
}
NAMES = [*FIGURES]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    with attempt("latency", names, report):
        with _stage(plan.pushes(LARGE)) as stage:
            found = [stage.round(number, plan.rounds) for number in range(1, plan.rounds + 1)]
        for name in names:
            n, unit, bar = FIGURES[name]
            values = [one[name] for one in found]
            report.add(summarise(name, values, unit=unit, n=n, bar=bar))


@contextmanager
def _stage(crowd: int) -> Iterator["Stage"]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "arrivals"
        with running("-a", str(file)) as sink, Gateway.running() as gateway:
            say(f"settling {crowd + PEOPLE:,} devices")
            few = gateway.new_app(sink, tokens=PEOPLE)
            many = gateway.new_app(sink, tokens=crowd)
            gateway.finished(gateway.send(few, broadcast=True), seconds=DEADLINE)  # to warm up
            yield Stage(gateway, few, many, Arrivals(sink, file))


class Stage:
    """A running gateway with a small app and a large one, and what the sink writes down."""

    def __init__(
        self, gateway: Gateway, few: dict[str, Any], many: dict[str, Any], arrivals: Arrivals
    ) -> None:
        self._gateway = gateway
        self._few = few
        self._many = many
        self._arrivals = arrivals
        self._events = Events(gateway, few)

    def round(self, number: int, rounds: int) -> dict[str, float]:
        """Give every figure once."""
        self._arrivals.news(())
        idle = self._took(_pushes(self._gateway, self._few, lambda sent: sent < IDLE))
        with _broadcasting(self._gateway, self._many) as lasts:
            sent = _pushes(self._gateway, self._few, lambda _: lasts())
        busy = self._took(sent)
        due = self._took(self._events.due(DUE), since="o.due_at")
        found = {
            "latency.urgent.idle.p50_ms": _part(idle, 0.5),
            "latency.urgent.idle.p99_ms": _part(idle, 0.99),
            "latency.urgent.busy.p99_ms": _part(busy, 0.99),
            "latency.urgent.busy_ratio": _part(busy, 0.99) / _part(idle, 0.99),
            "latency.due.p99_ms": _part(due, 0.99),
        }
        told = "  ".join(f"{name[8:]} {value:6.1f}" for name, value in found.items())
        say(f"round {number}/{rounds}  {told}  ({len(busy)} beside the broadcast)")
        return found

    def _took(self, sent: Sequence[int], *, since: str = "n.created_at") -> list[float]:
        """Give the milliseconds each push took, least first, once all have come."""
        asked: dict[int, list[float]] = {}
        for token, asked_at in self._recorded(sent, since):
            asked.setdefault(token % 2**64, []).append(float(asked_at))
        came = self._arrivals.news(asked.keys())
        if any(len(came[token]) != len(moments) for token, moments in asked.items()):
            raise WrongResult("a push came twice, or another never")
        pairs = (zip(moments, came[token], strict=True) for token, moments in asked.items())
        return sorted((then - moment) / 1000 for pair in pairs for moment, then in pair)

    def _recorded(self, sent: Sequence[int], since: str) -> list[Any]:
        """Give token and moment of each push, earliest first, once all are recorded."""
        ends_at = time.monotonic() + 60
        while time.monotonic() < ends_at:
            rows = self._gateway.database.execute(ASKED.format(since=since), [list(sent)])
            if len(found := rows.fetchall()) == len(sent):
                return found
            time.sleep(0.2)
        raise WrongResult(f"{len(found)} of {len(sent)} pushes came")


def _pushes(gateway: Gateway, app: dict[str, Any], more: Callable[[int], bool]) -> list[int]:
    """Push to one person after another as long as there is `more` to do; gives their ids."""
    sent: list[int] = []
    while more(len(sent)):
        sent.append(gateway.send(app, userIds=[f"u{1 + len(sent) % PEOPLE}"]))
        time.sleep(PAUSE)
    return sent


@contextmanager
def _broadcasting(gateway: Gateway, app: dict[str, Any]) -> Iterator[Callable[[], bool]]:
    """Have a broadcast under way; gives whether it still is."""
    over = threading.Event()
    broadcast = gateway.send(app, broadcast=True)

    def watch() -> None:
        try:
            gateway.finished(broadcast, seconds=DEADLINE, every=0.1)
        finally:
            over.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield lambda: not over.is_set()
    watcher.join()


def _part(values: Sequence[float], share: float) -> float:
    """Give the value below which that share of the sorted values lies."""
    return values[min(len(values) - 1, int(len(values) * share))]


class Events:
    """Pushes at a moment told by the second, which ConnectyCube's API takes."""

    def __init__(self, gateway: Gateway, app: dict[str, Any]) -> None:
        self._gateway = gateway
        opening = {"application_id": app["application_id"], "auth_key": app["auth_key"]}
        token = gateway.call("/session", opening)["session"]["token"]
        self._token = {"CB-Token": token}
        person = {"login": "bench", "password": "of a benchmark"}
        self._user = gateway.call("/users", {"user": person}, self._token)["user"]["id"]
        gateway.call("/login", person, self._token)
        address = {"environment": "production", "client_identification_sequence": "0a" * 32}
        device = {"platform": "ios", "udid": "bench"}
        said = {"notification_channel": "apns", "push_token": address, "device": device}
        gateway.call("/subscriptions", said, self._token)

    def due(self, count: int) -> list[int]:
        """Ask for so many pushes, over some seconds still ahead; gives their ids."""
        now = int(time.time())
        message = b64encode(b'{"message": "Hello"}').decode()
        made = []
        for number in range(count):
            event = {
                "notification_type": "push",
                "push_type": "apns",
                "environment": "production",
                "user": {"ids": self._user},
                "message": message,
                "date": now + AHEAD + number % 5,
            }
            said = self._gateway.call("/events", {"event": event}, self._token)
            made.append(int(said["event"]["id"]))
        return made
