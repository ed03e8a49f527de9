"""When a notification fires."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """One firing: at `at` (aware UTC), or at once when it is None."""

    at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the stored form, without what was not said."""
        return {"at": self.at.isoformat()} if self.at else {}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read the stored form back."""
        at = stored.get("at")
        return cls(at=datetime.fromisoformat(at) if at else None)


NOW = Schedule()
"""The schedule of a send that waits for nothing."""
