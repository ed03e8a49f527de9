"""Domain → wire: notifications, what became of them, and who opened them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from delivery.models import Notification
from delivery.reports import Firing, Funnel, Progress
from gateway.kumulos.moments import spell, spell_any
from gateway.rest.paging import Page

FROM_API = ACCEPTED = 1  # the only source and status the documented answer knows

COUNTS = (
    *("targeted", "accepted", "rejected", "unregistered", "expired"),
    *("cancelled", "capped", "uncertain", "pending"),
)


def notification_body(notification: Notification) -> dict[str, Any]:
    """Give the answer to an accepted send, in the documented order.

    What another surface sent in a provider's own form has no title and no message.
    """
    said = notification.filters
    return {
        "appId": notification.app_id,
        "source": FROM_API,
        "status": ACCEPTED,
        "filters": {key: said[key] for key in said if key != "schedule"},
        "title": notification.message.get("title", ""),
        "message": notification.message.get("body", ""),
        "data": notification.message.get("data"),
        "updatedAt": spell(notification.updated_at),
        "createdAt": spell(notification.created_at),
        "id": notification.pk,
    }


def progress_body(progress: Progress) -> dict[str, Any]:
    """Give the documented object, and beside it how far the notification has come."""
    return {
        **notification_body(progress.notification),
        "state": progress.standing.value,
        "schedule": progress.notification.filters.get("schedule"),
        "counts": {**_counts(progress.funnel), "opened": progress.opened},
        "expectedFinishAt": spell_any(progress.expected_at),
    }


def detail_body(progress: Progress, firings: Iterable[Firing]) -> dict[str, Any]:
    """Give all there is to say of a notification; a firing everywhere at once has no zone."""
    return {
        **progress_body(progress),
        "occurrences": [
            {
                "zone": firing.zone or None,
                "dueAt": spell(firing.due_at),
                "state": firing.standing.value,
                "counts": _counts(firing.funnel),
                "expectedFinishAt": spell_any(firing.expected_at),
            }
            for firing in firings
        ],
    }


def list_body(found: Iterable[Progress], *, total: int, page: Page) -> dict[str, Any]:
    """Give one page of an app's notifications."""
    return {
        "notifications": [progress_body(progress) for progress in found],
        "totalNotifications": total,
        "currentPage": page.number,
    }


def opens_body(opens: Iterable[tuple[str, datetime]], *, by: str) -> list[dict[str, str]]:
    """Give a bare array of openers, each under the key `by` names."""
    return [{by: uid, "openedAt": _bare(opened_at)} for uid, opened_at in opens]


def _counts(funnel: Funnel) -> dict[str, int]:
    return {name: getattr(funnel, name) for name in COUNTS}


def _bare(moment: datetime) -> str:
    # a device's clock may stand in the year 1, which strftime does not spell with four digits
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "seconds")
