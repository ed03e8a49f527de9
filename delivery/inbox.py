"""In-app messages and the inboxes they went to, read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, DateTimeField, Q, QuerySet, Subquery
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from crm.errors import NotFound
from crm.models import App, User
from delivery.models import InboxItem, Notification

MOST = 200
"""Messages a user is given at once: no phone lists more, and the oldest are missed the least."""

LISTS = ("audience", "filters", "user_meta")
"""Columns of an ask with everybody's names in them, which one user's answer need not load."""

EXPIRES_AT = Cast(KeyTextTransform("expires_at", "notification__message"), DateTimeField())


def inbox_of(
    app: App, user_uid: str, *, since: datetime | None, now: datetime
) -> Sequence[InboxItem]:
    """Give a user's newest messages, up to `MOST` of those changed since a moment, oldest first.

    Deleted ones are among them, so that the user's other devices hear of it; expired ones are not.
    An unknown user has none. It is one query.
    """
    owner = User.objects.filter(app=app, uid=user_uid).values("id")
    items = InboxItem.objects.filter(user=Subquery(owner)).alias(expires_at=EXPIRES_AT)
    items = items.filter(Q(expires_at=None) | Q(expires_at__gt=now))
    if since is not None:
        items = items.filter(updated_at__gte=since)
    items = items.select_related("notification").defer(*(f"notification__{n}" for n in LISTS))
    return list(items.order_by("-updated_at", "-id")[:MOST])[::-1]


def messages_of(app: App) -> QuerySet[Notification]:
    """Give an app's in-app messages, newest first, without what only their fan-out reads."""
    messages = Notification.objects.filter(app=app, kind=Notification.Kind.IN_APP)
    return messages.defer("audience", "user_meta").order_by("-id")


def find_message(app: App, message_id: int) -> Notification:
    """Give one in-app message; raises `NotFound` for a push and for another app's."""
    message = messages_of(app).filter(pk=message_id).first()
    if message is None:
        raise NotFound("No such in-app message.")
    return message


@dataclass(frozen=True, kw_only=True, slots=True)
class InboxCounts:
    """How many users have a message in their inbox, and how many of them did what with it."""

    sent: int
    read: int
    opened: int
    deleted: int


def count_inboxes(message: Notification) -> InboxCounts:
    """Count the inboxes a message went to so far."""
    return InboxCounts(
        **InboxItem.objects.filter(notification=message).aggregate(
            sent=Count("id"),
            read=Count("read_at"),
            opened=Count("opened_at"),
            deleted=Count("deleted_at"),
        )
    )
