"""How many device tokens an app had on a day, by what is known of them."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class TokenCount(models.Model):
    """A day's last count of one kind of token; counted anew every hour of that day.

    `state` is a token's own, or `disabled` for one that is alive and whose owner has switched
    notifications off.
    """

    DISABLED = "disabled"

    app = models.ForeignKey(App, models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    transport = models.CharField(max_length=16)
    environment = models.CharField(max_length=16)
    state = models.CharField(max_length=16)
    tokens = models.IntegerField()
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app", "day", "transport", "environment", "state"],
                name="token_count_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tokens} {self.state} {self.transport} tokens on {self.day}"
