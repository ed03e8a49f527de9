"""Change one's mind about a notification that has not fired yet."""

from crm.models import App
from delivery.commands.send import SendNotification
from delivery.models import Notification


def cancel_notification(*, app: App, notification_id: int) -> None:
    """Keep what has not fired from firing.

    Raises `NotFound` for an id not of this app, `Conflict` where all of it has fired or was
    cancelled before.
    """
    raise NotImplementedError


def edit_notification(ask: SendNotification, *, notification_id: int) -> Notification:
    """Put another ask in the place of one that has not begun to fire; the id stays.

    Raises `NotFound` for an id not of this app, `Conflict` where a firing has begun or it was
    cancelled.
    """
    raise NotImplementedError
