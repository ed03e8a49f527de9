"""What one push costs its sender: our adapters, the libraries as shipped, and the limit.

All senders have their turn in each round, against one sink; ratios are formed within a round.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks import environments, h2load, node
from benchmarks.figures import Bar, Figure, Report, above, at_least, at_most, say, summarise
from benchmarks.plan import Plan
from benchmarks.sink import Missing, Sink, running
from benchmarks.turns import Task, Turn, WrongResult, python_turn
from delivery.providers.contract import Transport

WARM = 2000
"""Pushes before a turn is measured: connections are open then, code and caches warm."""


AHEAD = above(1)
"""The bar beside every peer."""

Take = Callable[[Sink, Task], Turn]


def _python_peer(sink: Sink, task: Task) -> Turn:
    return python_turn(sink, task, environments.python())


class Sender(NamedTuple):
    """Someone who sends by one transport, how many pushes a turn of theirs has, and how it goes."""

    name: str
    transport: Transport
    usual: int
    take: Take = python_turn


class Ratio(NamedTuple):
    """How many times the CPU of one sender another takes for a push."""

    over: str
    under: str
    bar: Bar


APNS, FCM = Transport.APNS, Transport.FCM

SENDERS = {
    sender.name: sender
    for sender in (
        Sender("transport.apns", APNS, 200_000),
        Sender("transport.fcm", FCM, 200_000),
        Sender("peer.aioapns.apns", APNS, 20_000),
        Sender("peer.firebase_admin.fcm", FCM, 5_000),
        Sender("peer.django_push_notifications.apns", APNS, 10_000, _python_peer),
        Sender("peer.django_push_notifications.fcm", FCM, 5_000, _python_peer),
        Sender("peer.node_apn.apns", APNS, 50_000, node.turn),
        Sender("peer.node_pushnotifications.apns", APNS, 50_000, node.turn),
        Sender("peer.node_pushnotifications.fcm", FCM, 20_000, node.turn),
        Sender("peer.firebase_admin_node.fcm", FCM, 20_000, node.turn),
        Sender("limit.h2load", APNS, 500_000, h2load.turn),
        Sender("limit.h2load_fcm", FCM, 500_000, h2load.turn),
    )
}
"""Node takes some ten thousand pushes until its compiler has done what it will."""

PEERS = tuple(name for name in SENDERS if name.startswith("peer."))

BARS = {"peer.aioapns.apns": at_least(15), "peer.firebase_admin.fcm": at_least(40)}


def _ratio_to(peer: str) -> tuple[str, Ratio]:
    """Give the ratio of a peer to our adapter of the same transport."""
    _, name, transport = peer.split(".")
    ratio = Ratio(peer, f"transport.{transport}", BARS.get(peer, AHEAD))
    return f"ratio.{transport}.vs_{name}", ratio


RATIOS = {
    **dict(map(_ratio_to, PEERS)),
    "ratio.apns.vs_h2load": Ratio("transport.apns", "limit.h2load", at_most(8)),
    "ratio.fcm.vs_h2load": Ratio("transport.fcm", "limit.h2load_fcm", at_most(8)),
}

KINDS: Mapping[str, tuple[str, Callable[[Turn], float]]] = {
    "cpu_us": ("us/push", lambda turn: turn.cpu_us),
    "rate": ("pushes/s", lambda turn: turn.rate),
}
"""What is told of each sender: the CPU it took is to rank by, the rate depends on the machine."""

NAMES = [f"{sender}.{kind}" for sender in SENDERS for kind in KINDS] + list(RATIOS)


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    made_of = {name: _made_of(name) for name in names}
    needed = set().union(*made_of.values())
    rounds = Rounds([sender for sender in SENDERS.values() if sender.name in needed], plan)
    try:
        with running() as sink:
            rounds.run(sink, report)
    except Missing as why:
        report.skip(names, str(why))
        return
    for name in names:
        if absent := [rounds.absent[s] for s in made_of[name] if s in rounds.absent]:
            report.skip([name], absent[0])
        else:
            report.add(_figure(name, rounds.turns, plan))


class Rounds:
    """The turns of several senders, one each a round; nothing of one that cannot or does wrong."""

    def __init__(self, senders: Sequence[Sender], plan: Plan) -> None:
        self.turns: dict[str, list[Turn]] = {sender.name: [] for sender in senders}
        self.absent: dict[str, str] = {}
        self._senders = senders
        self._plan = plan

    def run(self, sink: Sink, report: Report) -> None:
        """Let the senders take their turns."""
        for number in range(1, self._plan.rounds + 1):
            for sender in self._senders:
                if sender.name not in self.absent:
                    self._take(sender, number, sink, report)

    def _take(self, sender: Sender, number: int, sink: Sink, report: Report) -> None:
        try:
            task = Task(sender.name, sender.transport, self._plan.pushes(sender.usual), WARM)
            turn = sender.take(sink, task)
        except Missing as why:
            self.absent[sender.name] = str(why)
        except WrongResult as why:
            self.absent[sender.name] = f"{sender.name} went wrong"
            report.fail(sender.name, str(why))
        else:
            self.turns[sender.name].append(turn)
            say(f"round {number}/{self._plan.rounds}  {sender.name:<35} {turn}")


def _made_of(name: str) -> list[str]:
    """Give the senders a figure is about."""
    ratio = RATIOS.get(name)
    return [ratio.over, ratio.under] if ratio else [name.rpartition(".")[0]]


def _figure(name: str, turns: Mapping[str, list[Turn]], plan: Plan) -> Figure:
    n = min(plan.pushes(SENDERS[sender].usual) for sender in _made_of(name))
    if ratio := RATIOS.get(name):
        pairs = zip(turns[ratio.over], turns[ratio.under], strict=True)
        values = [over.cpu_us / under.cpu_us for over, under in pairs]
        return summarise(name, values, unit="x", n=n, bar=ratio.bar)
    sender, _, kind = name.rpartition(".")
    unit, value = KINDS[kind]
    return summarise(name, [value(turn) for turn in turns[sender]], unit=unit, n=n)
