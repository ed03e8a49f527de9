"""A broadcast from request to last recorded outcome: what a push costs in all, and how fast it is.

The whole gateway runs as `make run` starts it, on both cores, with engines that sync, and pushes
to the sink, half to each provider. The sink shares the two cores; its CPU is nobody's.
"""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.figures import Bar, Report, at_least, at_most, say, summarise
from benchmarks.gateway import Gateway
from benchmarks.plan import Plan
from benchmarks.sink import Missing, Sink, between, running
from benchmarks.turns import WrongResult
from devstack.errors import StackError

LARGE, SMALL = 1_000_000, 50_000
LATE = ("-d", "50")
"""Options of the sink that answers as a provider far away does."""

PARTS = ("web", "worker", "tick", "postgres", "broker")
DEADLINE = 600


class Turn(NamedTuple):
    """What one broadcast came to: CPU by process in microseconds a push, pushes a second."""

    cpu_us: dict[str, float]
    rate: float

    def __str__(self) -> str:
        parts = "  ".join(f"{name} {us:5.1f}" for name, us in self.cpu_us.items())
        return f"{self.rate:8,.0f}/s  {sum(self.cpu_us.values()):5.1f} us/push  ({parts})"


class Told(NamedTuple):
    """A figure of every round."""

    unit: str
    bar: Bar | None = None


FIGURES = {
    "fanout.cpu_us": Told("us/push", at_most(40)),
    **{f"fanout.cpu_us.{part}": Told("us/push") for part in PARTS},
    "fanout.rate": Told("pushes/s"),
    "fanout.growth": Told("x", at_least(0.9)),
    "fanout.rtt50_ratio": Told("x", at_least(0.7)),
    "fanout.worker_mib": Told("MiB"),
    "fanout.worker_growth": Told("x", at_most(1.1)),
}
NAMES = [*FIGURES]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    large, small = plan.pushes(LARGE), plan.pushes(SMALL)
    try:
        with running() as sink, running(*LATE) as late, Gateway.running() as gateway:
            found = _rounds(gateway, (sink, late), sizes=(large, small), rounds=plan.rounds)
    except (Missing, StackError) as why:
        report.skip(names, str(why))
    except WrongResult as why:
        report.fail("fanout", str(why))
    else:
        for name in names:
            unit, bar = FIGURES[name]
            values = [one[name] for one in found]
            report.add(summarise(name, values, unit=unit, n=large, bar=bar))


def _rounds(
    gateway: Gateway, sinks: tuple[Sink, Sink], *, sizes: tuple[int, int], rounds: int
) -> list[dict[str, float]]:
    (sink, late), (large, small) = sinks, sizes
    say(f"settling {large + 2 * small:,} devices")
    little = gateway.new_app(sink, tokens=small)
    far = gateway.new_app(late, tokens=small)
    broadcast(gateway, sink, little, small)  # connections are open then, code and caches warm
    broadcast(gateway, late, far, small)
    found = []
    at_first, crowd = 0.0, gateway.new_app(sink, tokens=large)
    for number in range(1, rounds + 1):
        near = broadcast(gateway, sink, little, small)
        away = broadcast(gateway, late, far, small)
        at_first = at_first or gateway.peak_mib("worker")
        turn = broadcast(gateway, sink, crowd, large)
        peak = gateway.peak_mib("worker")
        say(f"round {number}/{rounds}  {turn}  {small:,}: {near.rate:,.0f}/s, far {away.rate:,.0f}")
        found.append(
            {
                "fanout.cpu_us": sum(turn.cpu_us.values()),
                **{f"fanout.cpu_us.{part}": us for part, us in turn.cpu_us.items()},
                "fanout.rate": turn.rate,
                "fanout.growth": turn.rate / near.rate,
                "fanout.rtt50_ratio": away.rate / near.rate,
                "fanout.worker_mib": peak,
                "fanout.worker_growth": peak / at_first,
            }
        )
    return found


def broadcast(gateway: Gateway, sink: Sink, app: dict[str, object], devices: int) -> Turn:
    """Send to every device of an app; every one gets the push exactly once."""
    cpu, sank = gateway.cpu(), sink.counted()
    occurrence = gateway.finished(gateway.send(app, broadcast=True), seconds=DEADLINE)
    after = gateway.cpu()
    came = between(sank, sink.counted()).pushes
    if not devices == occurrence["targeted"] == occurrence["accepted"] == came:
        raise WrongResult(f"{came} came and {occurrence} was recorded of {devices}")
    took = (occurrence["finished_at"] - occurrence["created_at"]).total_seconds()
    each = {part: (after[part] - cpu[part]) / devices * 1e6 for part in PARTS}
    return Turn(each, devices / took)
