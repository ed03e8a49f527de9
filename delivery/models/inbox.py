"""What waits in a user's inbox."""

from django.db import models
from django.db.models.functions import Now

from crm.models import User
from delivery.models.notification import Notification


class InboxItem(models.Model):
    """One in-app message for one user, and what became of it.

    The content is the notification's; `values` fill its dynamic tags for this user.
    """

    notification = models.ForeignKey(Notification, models.CASCADE, related_name="inbox_items")
    user = models.ForeignKey(User, models.CASCADE, related_name="inbox_items")
    values = models.JSONField(default=dict, db_default={})
    sent_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "user"], name="inbox_holds_one_of_each"
            ),
        ]
        indexes = [models.Index(fields=["user", "updated_at"], name="inbox_of_user")]

    def __str__(self) -> str:
        return f"in-app message {self.notification_id} for user {self.user_id}"
