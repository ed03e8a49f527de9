"""SQL on its way to being part of a larger one."""

import re
from itertools import count
from typing import Any

Query = tuple[str, list[Any]]
"""A text with placeholders, and what goes into them in order."""


def named(query: Query) -> tuple[str, dict[str, Any]]:
    """Give a query with a name for each placeholder, to go with others that have names."""
    sql, params = query
    numbers = count()
    said = re.sub("%[s%]", lambda m: m[0] if m[0] == "%%" else f"%(p{next(numbers)})s", sql)
    return said, {f"p{number}": value for number, value in enumerate(params)}
