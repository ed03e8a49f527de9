"""Domain → wire: the in-app message as asked for, how far it has come, what users did with it."""

from collections.abc import Iterable
from typing import Any

from delivery.inbox import InboxCounts
from delivery.message import InAppMessage, Json
from delivery.reports import Progress
from gateway.kumulos.moments import spell, spell_any
from gateway.rest.paging import Page

INBOX = ("title", "subtitle", "imagePath", "from", "to")


def message_body(progress: Progress) -> dict[str, Any]:
    """Give one in-app message and how far it has come."""
    notification, said = progress.notification, progress.notification.filters
    message = InAppMessage.from_json(notification.message)
    return {
        "id": notification.pk,
        "templateUid": message.template_uid,
        "filters": {key: said[key] for key in said if key != "schedule"},
        "dynamicContent": message.values,
        "presentedWhen": message.presented.value,
        "inbox": inbox_body(message.inbox),
        "data": message.data,
        "badge": message.badge,
        "expiresAt": spell_any(message.expires_at),
        "schedule": said.get("schedule"),
        "state": progress.standing.value,
        "updatedAt": spell(notification.updated_at),
        "createdAt": spell(notification.created_at),
        "appId": notification.app_id,
    }


def inbox_body(inbox: Json | None) -> Json | None:
    """Give how an inbox lists a message, in the documented order, or that none does."""
    return None if inbox is None else {key: inbox[key] for key in INBOX}


def detail_body(progress: Progress, counts: InboxCounts) -> dict[str, Any]:
    """Give one in-app message, and how many users have it and did what with it."""
    return {
        **message_body(progress),
        "counts": {
            "sent": counts.sent,
            "read": counts.read,
            "opened": counts.opened,
            "deleted": counts.deleted,
        },
    }


def list_body(shown: Iterable[Progress], *, total: int, page: Page) -> dict[str, Any]:
    """Give one page of in-app messages; what users did with each is in its own answer."""
    return {
        "messages": [message_body(progress) for progress in shown],
        "totalMessages": total,
        "currentPage": page.number,
    }
