"""What was asked of a run of the benchmarks, read from the environment."""

from collections.abc import Mapping
from typing import NamedTuple


class Unclear(ValueError):
    """The question makes no sense; the text is the one line to show."""


class Plan(NamedTuple):
    """How much to measure."""

    only: str
    rounds: int
    scale: float

    def pushes(self, usual: int) -> int:
        """Give how many pushes a turn has where it usually has so many."""
        return max(1000, round(usual * self.scale))


def read_plan(environ: Mapping[str, str]) -> Plan:
    """Give the plan the environment describes."""
    return Plan(
        only=environ.get("ONLY", ""),
        rounds=int(_number(environ, "ROUNDS", 5, least=1)),
        scale=_number(environ, "SCALE", 1, least=0.001),
    )


def _number(environ: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    text = environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= 1000:
        raise Unclear(f"{name}={text} is not a number from {least:g} to 1000")
    return number
