"""Segments → the query for their members; what their rules say of pushes is answered here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

Query = tuple[str, list[Any]]


def members(segment_ids: Sequence[int], *, app_id: int, now: datetime) -> Query:
    """Give SQL for the (user_id, install_id) pairs in any of an app's segments, each once or more.

    `install_id` is NULL for a user without installs. A segment that is gone has no members.
    """
    raise NotImplementedError
