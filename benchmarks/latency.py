"""How long a push to one person takes, idle and beside a broadcast; how late a scheduled one is.

From the moment a request is taken up to the moment its outcome is recorded, both by the gateway's
own clock: later than the provider has it, so an upper bound.
"""

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.fanout import DEADLINE, LARGE
from benchmarks.figures import Bar, Report, at_most, say, summarise
from benchmarks.gateway import Gateway
from benchmarks.plan import Plan
from benchmarks.sink import Missing, Sink, running
from benchmarks.turns import WrongResult
from devstack.errors import StackError

IDLE, DUE = 300, 100
PAUSE = 0.03
"""Seconds between two pushes: nobody waits for the one before."""

AHEAD = 4
PEOPLE = 1000

TOOK = """
SELECT extract(epoch FROM d.at - {since}) * 1000 FROM delivery_notification n
  JOIN delivery_occurrence o ON o.notification_id = n.id
  JOIN delivery_delivery d ON d.day = o.ledger_day AND d.occurrence_id = o.id
 WHERE n.id = ANY(%s) AND d.verdict = 'accepted' ORDER BY 1
"""


class Told(NamedTuple):
    """A figure of every round."""

    bar: Bar | None = None


FIGURES = {
    "latency.urgent.idle.p50_ms": Told(),
    "latency.urgent.idle.p99_ms": Told(),
    "latency.urgent.busy.p99_ms": Told(at_most(1000)),
    "latency.due.p99_ms": Told(at_most(2000)),
}
NAMES = [*FIGURES]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    crowd = plan.pushes(LARGE)
    try:
        with running() as sink, Gateway.running() as gateway:
            found = _rounds(gateway, sink, crowd=crowd, rounds=plan.rounds)
    except (Missing, StackError) as why:
        report.skip(names, str(why))
    except WrongResult as why:
        report.fail("latency", str(why))
    else:
        for name in names:
            values = [one[name] for one in found]
            n = DUE if "due" in name else IDLE
            report.add(summarise(name, values, unit="ms", n=n, bar=FIGURES[name].bar))


def _rounds(gateway: Gateway, sink: Sink, *, crowd: int, rounds: int) -> list[dict[str, float]]:
    say(f"settling {crowd + PEOPLE:,} devices")
    few = gateway.new_app(sink, tokens=PEOPLE)
    many = gateway.new_app(sink, tokens=crowd)
    events = Events(gateway, few)
    gateway.finished(gateway.send(few, broadcast=True), seconds=DEADLINE)  # code and caches warm
    found = []
    for number in range(1, rounds + 1):
        idle = _took(gateway, _pushes(gateway, few, lambda sent: sent < IDLE))
        with _broadcasting(gateway, many) as lasts:
            busy = _took(gateway, _pushes(gateway, few, lambda _: lasts()))
        due = _took(gateway, events.due(DUE), since="o.due_at")
        found.append(
            {
                "latency.urgent.idle.p50_ms": _part(idle, 0.5),
                "latency.urgent.idle.p99_ms": _part(idle, 0.99),
                "latency.urgent.busy.p99_ms": _part(busy, 0.99),
                "latency.due.p99_ms": _part(due, 0.99),
            }
        )
        told = "  ".join(f"{name[8:]} {value:6.0f}" for name, value in found[-1].items())
        say(f"round {number}/{rounds}  {told}  ({len(busy)} beside the broadcast)")
    return found


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


def _took(gateway: Gateway, sent: Sequence[int], *, since: str = "n.created_at") -> list[float]:
    """Give the milliseconds each push took, once all have come."""
    ends_at = time.monotonic() + 60
    while time.monotonic() < ends_at:
        rows = gateway.database.execute(TOOK.format(since=since), [list(sent)]).fetchall()
        if len(rows) == len(sent):
            return [float(took) for (took,) in rows]
        time.sleep(0.2)
    raise WrongResult(f"{len(rows)} of {len(sent)} pushes came")


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
