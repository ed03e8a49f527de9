"""Someone tapped."""

from django.db import models

from crm.models import Install, User
from delivery.models.notification import Notification


class Open(models.Model):
    """The first tap on a notification on one install by one user; anonymous users count too."""

    # no index of its own: the one by which it counts once begins with it
    notification = models.ForeignKey(
        Notification, models.CASCADE, related_name="opens", db_index=False
    )
    install = models.ForeignKey(Install, models.CASCADE, related_name="opens")
    user_uid = models.CharField(max_length=User.UID_LIMIT)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "install", "user_uid"], name="open_counts_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_uid} opened {self.notification_id}"
