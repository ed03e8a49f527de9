"""When people were last seen: gathered over a post of events, written once."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from crm.models import Install, User


@dataclass(frozen=True, slots=True)
class Seen:
    """The app came to the front or left it."""


class Activity:
    """The first and last moment each user was seen in one post; the device's future is now."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[datetime, datetime]] = {}
        self._now = timezone.now()

    def note(self, install: Install, happened_at: datetime) -> None:
        """Take note that the install's current user was there."""
        moment = min(happened_at, self._now)
        install.last_active_at = max(install.last_active_at, moment)
        first, last = self._seen.get(install.user_id, (moment, moment))
        self._seen[install.user_id] = min(first, moment), max(last, moment)

    def store(self) -> None:
        """Write what was noted; what is known already only grows."""
        for user_id, (first, last) in self._seen.items():
            # Postgres leaves NULL out of least and greatest
            User.objects.filter(pk=user_id).update(
                first_active_at=Coalesce("first_active_at", first),
                last_active_at=Greatest("last_active_at", last),
            )
