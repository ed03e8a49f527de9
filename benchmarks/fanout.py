"""A broadcast from request to last recorded outcome: what a push costs in all, and how fast it is.

The whole gateway runs as `make run` starts it, on both cores, with engines that sync, and pushes
to the sink, half to each provider. The sink shares the two cores; its CPU is nobody's.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from benchmarks.attempt import attempt
from benchmarks.figures import Bar, Report, at_least, at_most, say, summarise
from benchmarks.gateway import Gateway
from benchmarks.plan import Plan
from benchmarks.sink import Sink, between, running
from benchmarks.turns import WrongResult

LARGE, SMALL = 1_000_000, 50_000
LATE = ("-d", "50")
"""Options of a sink that answers as a provider far away does."""

STREAMS = {
    "fanout.rtt50_ratio": 1000,
    "fanout.rtt50_ratio.s500": 500,
    "fanout.rtt50_ratio.s100": 100,
}
"""How many streams a connection to it may have."""

PARTS = ("web", "worker", "tick", "postgres", "broker")
DEADLINE = 600


class Turn(NamedTuple):
    """What one send came to: CPU by process in microseconds a push, pushes a second."""

    cpu_us: dict[str, float]
    rate: float

    @property
    def total_us(self) -> float:
        """The CPU of all processes."""
        return sum(self.cpu_us.values())

    def __str__(self) -> str:
        parts = "  ".join(f"{name} {us:5.1f}" for name, us in self.cpu_us.items())
        return f"{self.rate:8,.0f}/s  {self.total_us:5.1f} us/push  ({parts})"


class Told(NamedTuple):
    """A figure of every round."""

    unit: str
    bar: Bar | None = None


FIGURES = {
    "fanout.cpu_us": Told("us/push", at_most(40)),
    **{f"fanout.cpu_us.{part}": Told("us/push") for part in PARTS},
    "fanout.rate": Told("pushes/s"),
    "fanout.growth": Told("x", at_least(0.9)),
    "fanout.personal_ratio": Told("x", at_most(1.6)),
    "fanout.capped_ratio": Told("x"),
    **{name: Told("x", at_least(0.7)) for name in STREAMS},
    "fanout.worker_mib": Told("MiB"),
    "fanout.worker_growth": Told("x", at_most(1.1)),
}
NAMES = [*FIGURES]


class Audience(NamedTuple):
    """An app, where its pushes go, and how many devices it has."""

    app: dict[str, Any]
    sink: Sink
    devices: int


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    large, small = plan.pushes(LARGE), plan.pushes(SMALL)
    with attempt("fanout", names, report):
        with _stage(small) as stage:
            crowd = Audience(stage.gateway.new_app(stage.sink, tokens=large), stage.sink, large)
            found = _rounds(stage, crowd, rounds=plan.rounds)
        for name in names:
            unit, bar = FIGURES[name]
            values = [one[name] for one in found]
            report.add(summarise(name, values, unit=unit, n=large, bar=bar))


class Stage(NamedTuple):
    """A running gateway, and the small audiences near and far whose connections are open."""

    gateway: Gateway
    sink: Sink
    near: Audience
    far: Mapping[str, Audience]


@contextmanager
def _stage(small: int) -> Iterator[Stage]:
    with ExitStack() as stack:
        sink = stack.enter_context(running())
        late = {
            name: stack.enter_context(running(*LATE, "-s", str(streams)))
            for name, streams in STREAMS.items()
        }
        gateway = stack.enter_context(Gateway.running())
        say("settling the devices")
        near = Audience(gateway.new_app(sink, tokens=small), sink, small)
        far = {
            name: Audience(gateway.new_app(away, tokens=small), away, small)
            for name, away in late.items()
        }
        for audience in (near, *far.values()):  # code and caches are warm then
            send(gateway, audience)
        yield Stage(gateway, sink, near, far)


def _rounds(stage: Stage, crowd: Audience, *, rounds: int) -> list[dict[str, float]]:
    gateway, found = stage.gateway, []
    at_first = 0.0
    for number in range(1, rounds + 1):
        near = send(gateway, stage.near)
        personal = send(gateway, stage.near, **personally(stage.near.devices))
        with gateway.capped(stage.near.app):
            capped = send(gateway, stage.near)
        away = {name: send(gateway, audience).rate for name, audience in stage.far.items()}
        at_first = at_first or gateway.peak_mib("worker")
        turn = send(gateway, crowd)
        peak = gateway.peak_mib("worker")
        told = "  ".join(f"{rate:,.0f}" for rate in away.values())
        say(f"round {number}/{rounds}  {turn}  near {near.rate:,.0f}/s, far {told}")
        found.append(
            {
                "fanout.cpu_us": turn.total_us,
                **{f"fanout.cpu_us.{part}": us for part, us in turn.cpu_us.items()},
                "fanout.rate": turn.rate,
                "fanout.growth": turn.rate / near.rate,
                "fanout.personal_ratio": personal.total_us / near.total_us,
                "fanout.capped_ratio": capped.total_us / near.total_us,
                **{name: rate / near.rate for name, rate in away.items()},
                "fanout.worker_mib": peak,
                "fanout.worker_growth": peak / at_first,
            }
        )
    return found


def personally(people: int) -> dict[str, Any]:
    """Give what a call says that names everybody and has something of its own for each."""
    uids = [f"u{number}" for number in range(1, people + 1)]
    return {
        "userIds": uids,
        "userMeta": {uid: {"plan": "gold", "order": 4711 + n} for n, uid in enumerate(uids)},
        "ios": {"hasBadge": True, "badgeType": "incrementBy", "badgeCount": 1},
    }


def send(gateway: Gateway, audience: Audience, **said: Any) -> Turn:
    """Send to every device of an app; every one gets the push exactly once."""
    app, sink, devices = audience
    cpu, sank = gateway.cpu(), sink.counted()
    notification = gateway.send(app, **(said or {"broadcast": True}))
    occurrence = gateway.finished(notification, seconds=DEADLINE)
    after = gateway.cpu()
    came = between(sank, sink.counted()).pushes
    if not devices == occurrence["targeted"] == occurrence["accepted"] == came:
        raise WrongResult(f"{came} came and {occurrence} was recorded of {devices}")
    took = (occurrence["finished_at"] - occurrence["created_at"]).total_seconds()
    each = {part: (after[part] - cpu[part]) / devices * 1e6 for part in PARTS}
    return Turn(each, devices / took)
