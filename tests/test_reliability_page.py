"""What the reliability page says of providers is complete, and shown by tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()
SOURCES = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))


def test_every_test_the_page_names_is_there():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert [name for name in sorted(named) if f"def {name}(" not in SOURCES] == []


def test_every_situation_and_trap_has_a_row_that_names_a_test():
    rows = re.findall(r"^\| (\d+) \|.*`test_\w+`", PAGE, re.MULTILINE)
    numbers = [*range(1, 15), *range(1, 23), *range(1, 20)]
    assert [int(number) for number in rows] == numbers
