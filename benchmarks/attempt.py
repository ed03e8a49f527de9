"""What becomes of figures that could not be measured, whatever they are of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.figures import Report
from benchmarks.sink import Missing
from benchmarks.turns import WrongResult
from devstack.errors import StackError


@contextmanager
def attempt(title: str, names: Sequence[str], report: Report) -> Iterator[None]:
    """Measure figures within: what is missing here skips them, a wrong result fails the run."""
    try:
        yield
    except (Missing, StackError) as why:
        report.skip(names, str(why))
    except WrongResult as why:
        report.fail(title, str(why))
