"""What the compatibility pages say is shown by tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "compat").glob("*.md"))
SOURCES = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
FILES = {path.name for part in ("tests", "docs") for path in (ROOT / part).rglob("*.*")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_test_and_file_a_page_names_is_there(page):
    named = set(re.findall(r"`((?:[\w/]+/)?(?:test_\w+|[\w-]+\.json)(?:\.py)?)`", page.read_text()))
    assert len(named) > 50
    missing = [
        name
        for name in sorted(named)
        if not (
            Path(name).name in FILES
            or f"{name}.py" in FILES
            or re.search(rf"def {re.escape(name)}\(", SOURCES)
        )
    ]
    assert missing == []
