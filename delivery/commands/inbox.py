"""What users do with in-app messages."""

from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Now

from crm.models import User
from delivery.models import InboxItem

MOMENTS = {"opened": "opened_at", "read": "read_at", "deleted": "deleted_at"}


def note_inbox(*, app_id: int, user_uid: str, message_id: int, kind: str, at: datetime) -> None:
    """Note that a user opened, read or deleted an in-app message; the first moment counts.

    What is not in that user's inbox is passed over. Opening is not reading: apps tell of both.
    """
    moment = MOMENTS[kind]
    later = Q(**{moment: None}) | Q(**{f"{moment}__gt": at})
    # the user by a subquery, not a join: of two events at once the later one has to look again
    owner = User.objects.filter(app_id=app_id, uid=user_uid)
    mine = InboxItem.objects.filter(later, notification_id=message_id, user__in=owner)
    mine.update(**{moment: at, "updated_at": Now()})
