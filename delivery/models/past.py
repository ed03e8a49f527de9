"""What became of pushes whose notifications are forgotten."""

from django.db import models

from crm.models import App


class PastPushes(models.Model):
    """The sums over an app's forgotten firings: with them no total of the gateway ever falls."""

    app = models.OneToOneField(App, models.CASCADE, primary_key=True, related_name="past_pushes")
    targeted = models.BigIntegerField(default=0, db_default=0)
    accepted = models.BigIntegerField(default=0, db_default=0)
    rejected = models.BigIntegerField(default=0, db_default=0)
    unregistered = models.BigIntegerField(default=0, db_default=0)
    expired = models.BigIntegerField(default=0, db_default=0)
    cancelled = models.BigIntegerField(default=0, db_default=0)
    uncertain = models.BigIntegerField(default=0, db_default=0)
    replayed = models.BigIntegerField(default=0, db_default=0)

    COUNTED = (
        "targeted",
        "accepted",
        "rejected",
        "unregistered",
        "expired",
        "cancelled",
        "uncertain",
        "replayed",
    )

    def __str__(self) -> str:
        return f"forgotten pushes of app {self.app_id}"
