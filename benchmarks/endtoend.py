"""A push through the whole gateway, ledger and all, beside a library that does nothing but send it.

Made of the peers' CPU and of a broadcast's in the same run, round by round; what of it has not been
measured yet is measured now.
"""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from benchmarks import fanout, transports
from benchmarks.figures import Figure, Report, above, summarise
from benchmarks.plan import Plan

OURS = "fanout.cpu_us"


def _made_of() -> dict[str, list[str]]:
    """Give for each ratio the figures of the peer: one for each provider it sends to."""
    found = defaultdict(list)
    for sender in transports.PEERS:
        found[f"ratio.e2e.vs_{sender.split('.')[1]}"].append(f"{sender}.cpu_us")
    return dict(found)


PEERS = _made_of()
NAMES = [*PEERS]


def measure(names: Sequence[str], plan: Plan, report: Report) -> None:
    """Measure these figures into the report."""
    needed = [OURS, *(figure for name in names for figure in PEERS[name])]
    lacking = [figure for figure in needed if figure not in report.begun]
    for group in (transports, fanout):
        if chosen := [figure for figure in lacking if figure in group.NAMES]:
            report.begin(chosen)
            group.measure(chosen, plan, report)
    for name in names:
        parts = [OURS, *PEERS[name]]
        if absent := [part for part in parts if report.found(part) is None]:
            report.skip([name], f"there is no {absent[0]}")
        else:
            report.add(_ratio(name, report))


def _ratio(name: str, report: Report) -> Figure:
    """Give a peer's CPU over ours: a peer of both providers counts half and half, as we do."""
    figures = [figure for part in [OURS, *PEERS[name]] if (figure := report.found(part))]
    rounds = zip(*(figure.rounds for figure in figures), strict=True)
    values = [fmean(theirs) / ours for ours, *theirs in rounds]
    return summarise(name, values, unit="x", n=min(f.n for f in figures), bar=above(1))
