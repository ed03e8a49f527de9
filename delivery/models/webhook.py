"""Where operators want to hear of outcomes, and what there is to tell them."""

from django.db import models
from django.db.models.functions import Now

from crm.models import App


class Webhook(models.Model):
    """An address of a caller's backend that is told what happened; calls to it are signed."""

    app = models.ForeignKey(App, models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=2048)
    sealed_secret = models.BinaryField()
    topics = models.JSONField(default=list)
    active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.url


class WebhookEvent(models.Model):
    """One thing to tell: the outbox, written with what it tells of, replayable by id."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="events")
    subject = models.CharField(max_length=255)  # what order is kept within: an install
    topic = models.CharField(max_length=64)
    body = models.JSONField()
    attempts = models.SmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(db_default=Now(), null=True)  # None: told
    lease_until = models.DateTimeField(null=True)
    last_answer = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="webhook_event_untold",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} for {self.webhook_id}"
