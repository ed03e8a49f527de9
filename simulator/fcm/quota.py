"""Quotas: how many messages a project, or one device, may take in a minute."""

from dataclasses import dataclass, field

MINUTE = 60.0
REMEMBERED = 100_000


@dataclass(slots=True)
class Bucket:
    """One minute of one subject, starting with its first message."""

    began_at: float
    count: int = 0


@dataclass(slots=True)
class Meter:
    """Counts per subject and minute; minutes are not aligned to the clock."""

    buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, subject: str, limit: int, now: float) -> int:
        """Count one message; return the seconds to wait if it is one too many, else 0."""
        bucket = self.buckets.get(subject)
        if bucket is None or now - bucket.began_at >= MINUTE:
            if len(self.buckets) >= REMEMBERED:
                self.buckets.clear()
            bucket = self.buckets[subject] = Bucket(now)
        bucket.count += 1
        return 0 if bucket.count <= limit else max(1, int(bucket.began_at + MINUTE - now) + 1)
