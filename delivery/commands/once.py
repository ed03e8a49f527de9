"""Send what a form says once, however often it is sent."""

from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from crm.errors import Conflict
from delivery.commands.send import SendNotification, send_notification
from delivery.models import Notification, Ticket

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What a ticket stands for, and whether it has just been stored."""

    notification: Notification
    new: bool


@transaction.atomic
def send_once(ask: SendNotification, *, ticket: UUID) -> Sent:
    """Store a notification, or give the one this ticket was used for.

    Whoever comes with the same ticket meanwhile waits for the first. Raises `Conflict` for a ticket
    used for another app or by another operator, and whatever `send_notification` does.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"ticket {ticket}"])
    used = Ticket.objects.select_related("notification__app").filter(pk=ticket).first()
    if used is not None:
        if (used.operator, used.notification.app) != (ask.operator, ask.app):
            raise Conflict("This form was sent by somebody else.")
        return Sent(notification=used.notification, new=False)
    notification = send_notification(ask)
    Ticket.objects.create(pk=ticket, operator=ask.operator, notification=notification)
    return Sent(notification=notification, new=True)
