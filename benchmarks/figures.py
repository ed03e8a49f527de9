"""A measured figure, and the report it goes into."""

import json
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Bar(NamedTuple):
    """What a figure has to reach."""

    words: str
    met: Callable[[float], bool]


def at_least(bound: float) -> Bar:
    """Give the bar of a figure that should be large."""
    return Bar(f"≥ {bound:g}", lambda value: value >= bound)


def at_most(bound: float) -> Bar:
    """Give the bar of a figure that should be small."""
    return Bar(f"≤ {bound:g}", lambda value: value <= bound)


def above(bound: float) -> Bar:
    """Give the bar of a figure that has to exceed something."""
    return Bar(f"> {bound:g}", lambda value: value > bound)


class Figure(NamedTuple):
    """The median of several runs, and how far they lie apart."""

    name: str
    value: float
    unit: str
    n: int
    runs: int
    spread: tuple[float, float]
    bar: Bar | None = None
    rounds: tuple[float, ...] = ()

    def line(self) -> str:
        """Give the figure as a line of JSON."""
        said = {
            "figure": self.name,
            "value": self.value,
            "unit": self.unit,
            "n": self.n,
            "runs": self.runs,
            "spread": list(self.spread),
        }
        return json.dumps(said)


def summarise(
    name: str, values: Sequence[float], *, unit: str, n: int, bar: Bar | None = None
) -> Figure:
    """Give the figure that several runs of `n` pushes amount to."""
    low, middle, high = (_rounded(f(values)) for f in (min, statistics.median, max))
    return Figure(name, middle, unit, n, len(values), (low, high), bar, tuple(values))


class Report:
    """What a run of the benchmarks found: figures, what could not be measured, what was wrong."""

    def __init__(self, file: Path) -> None:
        self.figures: list[Figure] = []
        self.wrong: list[str] = []
        self.begun: set[str] = set()
        """What has been measured, or could not be."""
        self._file = file

    def begin(self, names: Iterable[str]) -> None:
        """Take note of figures whose turn has come."""
        self.begun.update(names)

    def found(self, name: str) -> Figure | None:
        """Give a figure, where there is one."""
        return next((figure for figure in self.figures if figure.name == name), None)

    def add(self, figure: Figure) -> None:
        """Keep a figure."""
        self.figures.append(figure)

    def skip(self, names: Iterable[str], why: str) -> None:
        """Say in one line for each figure why there is none."""
        for name in names:
            say(f"skipped {name}: {why}")

    def fail(self, name: str, why: str) -> None:
        """Take note of a wrong result; the run ends with exit code 1."""
        self.wrong.append(name)
        say(f"WRONG {name}: {why}")

    def write(self) -> None:
        """Replace the file with the figures there are, a line for each."""
        self._file.parent.mkdir(exist_ok=True)
        draft = self._file.with_suffix(".new")
        draft.write_text("".join(figure.line() + "\n" for figure in self.figures))
        draft.replace(self._file)


def table(figures: Iterable[Figure]) -> str:
    """Give the figures as a Markdown table."""
    rows = [
        "| figure | median | min to max | unit | n | runs | bar |",
        "|---|---:|---:|---|---:|---:|---|",
    ]
    for f in figures:
        low, high = (_shown(bound) for bound in f.spread)
        rows.append(
            f"| `{f.name}` | {_shown(f.value)} | {low} to {high} | {f.unit} | {f.n:,} | {f.runs} "
            f"| {_verdict(f)} |"
        )
    return "\n".join(rows)


def say(text: str) -> None:
    """Print a line about the progress, at once."""
    print(text, file=sys.stderr, flush=True)


def _verdict(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    return figure.bar.words + (", met" if figure.bar.met(figure.value) else ", **missed**")


def _rounded(value: float) -> float:
    return round(value, 2) if value < 1000 else float(round(value))


def _shown(value: float) -> str:
    return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"
