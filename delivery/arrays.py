"""Thousands of values as one Postgres parameter.

The driver makes an array element by element in Python, which for a batch cost more than sending it;
joined into an array's own text they cost next to nothing. To be cast where they are used.
"""

from collections.abc import Iterable


def numbers(values: Iterable[int | None]) -> str:
    """Give `%s::int[]` or `%s::bigint[]` its values."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """Give `%s::text[]` its values, none of which holds a null character."""
    # all are quoted at once: what no value holds stands between them meanwhile
    quoted = list(values)
    if not quoted:
        return "{}"
    joined = "\0".join(quoted).replace("\\", r"\\").replace('"', r"\"")
    return '{"' + joined.replace("\0", '","') + '"}'
