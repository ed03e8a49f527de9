"""What workers do, done here and now."""

from datetime import timedelta

from django.utils import timezone

from delivery import dispatch
from delivery.models import Batch, Breaker, Occurrence


def again(occurrence: Occurrence, queue: str = "bulk") -> Occurrence:
    """Deliver what is due in a queue, and give the firing as it is then."""
    while dispatch.deliver_next(queue):
        pass
    occurrence.refresh_from_db()
    return occurrence


def due_now() -> None:
    """Let the time of every batch, and of every open breaker's next probe, have come."""
    Batch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    Breaker.objects.filter(state="open").update(next_probe_at=timezone.now())
