"""SQL on its way to being part of a larger one."""

from typing import Any

Query = tuple[str, list[Any]]
"""A text with placeholders, and what goes into them in order."""
