"""A form that may be sent once."""

from django.db import models
from django.db.models.functions import Now

from delivery.models.notification import Notification


class Ticket(models.Model):
    """What was stored for one form an operator was shown; sending it again gives the same."""

    id = models.UUIDField(primary_key=True)
    operator = models.CharField(max_length=150)
    notification = models.ForeignKey(Notification, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"ticket of {self.notification_id}"
