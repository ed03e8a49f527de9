"""What devices told us is forgotten after a while."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from crm.commands.sweeping import sweep
from crm.models import Event


def forget_device_events(*, now: datetime) -> int:
    """Delete device events received longer ago than `EVENT_RETENTION`, some at a time."""
    before = now - settings.EVENT_RETENTION

    def oldest_events(at_most: int) -> Sequence[int]:
        # by key: an index on the time would cost each event more than forgetting it does
        head = Event.objects.select_for_update(skip_locked=True).order_by("pk")
        received = head.values_list("pk", "received_at")[:at_most]
        return [pk for pk, received_at in received if received_at < before]

    return sweep(Event, oldest_events)
