"""Domain → wire: an event is one of our notifications, on one channel."""

from collections.abc import Iterable
from typing import Any

import orjson

from crm.models import App
from delivery.models import Notification
from delivery.reports import Runs
from gateway.connectycube.moments import stamp

FRESH = Runs(pending=True)
"""What has come of an event when it is stored; a worker may be faster than the answer."""


def event_body(event: Notification, been: Runs) -> dict[str, Any]:
    """Give one event in its envelope, in the documented order."""
    said = event.filters
    tags = said["tag_query"]
    return {
        "event": {
            "id": event.pk,
            "event_type": said["event_type"],
            "message": said["message"],
            "date": said["date"],
            "period": said["period"],
            "name": event.name or None,
            "occured_count": been.occurred,
            "created_at": stamp(event.created_at),
            "updated_at": stamp(event.updated_at),
            "end_date": said["end_date"],
            "active": been.pending,
            "application_id": event.app_id,
            "user_id": event.author_id,
            "kind": "API",
            "environment": said["environment"],
            "tag_query": None if tags is None else orjson.dumps(tags).decode(),
            "notification_channel": {"name": said["channel"]},
        }
    }


def created_body(events: Iterable[Notification], *, app: App, push_type: str | None) -> Any:
    """Give the answer to a creation: an object or a list, as this application's clients want it."""
    bodies = [event_body(event, FRESH) for event in events]
    shape = app.cube_event_answer
    if shape == App.EventAnswer.AUTO:
        shape = App.EventAnswer.OBJECT if push_type else App.EventAnswer.ARRAY
    return bodies[0] if shape == App.EventAnswer.OBJECT else bodies
