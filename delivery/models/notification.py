"""One ask: message, audience, schedule."""

from django.db import models
from django.db.models.functions import Now

from crm.models import App, User


class Lane(models.TextChoices):
    """Which queue a notification's work waits in; workers empty the first before the second."""

    URGENT = "urgent"
    BULK = "bulk"


class Notification(models.Model):
    """What a caller asked for, stored before they are told it was accepted.

    `filters` is the audience in the caller's own words, given back as it came; `audience` is ours.
    """

    class Source(models.TextChoices):
        """Through which surface it was asked."""

        KUMULOS = "kumulos"
        CONNECTYCUBE = "connectycube"
        CONSOLE = "console"

    # 1 … 2³¹-1: Android truncates larger numbers, Swift ignores 0 (contracts/kumulos §1)
    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="notifications")
    source = models.CharField(max_length=16, choices=Source.choices)
    author = models.ForeignKey(User, models.SET_NULL, null=True)
    name = models.CharField(max_length=255, default="", db_default="")
    message = models.JSONField()
    audience = models.JSONField()
    schedule = models.JSONField()
    filters = models.JSONField(default=dict)
    reporting_meta = models.JSONField(default=dict, db_default={})
    user_meta = models.JSONField(default=dict, db_default={})
    lane = models.CharField(max_length=8, choices=Lane.choices)
    active = models.BooleanField(default=True, db_default=True)
    time_to_live = models.DurationField()  # from each firing; no push is tried after it
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["app", "id"], name="notification_of_app")]

    def __str__(self) -> str:
        return f"notification {self.id}"
