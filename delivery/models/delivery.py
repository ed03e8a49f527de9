"""The ledger: one row for each device a push was answered for."""

from django.db import models


class Delivery(models.Model):
    """The final outcome of one occurrence at one device token; written once, never changed.

    The table is partitioned by `day`, the occurrence's own ledger day, so that the primary key
    holds one row per (occurrence, token) and old days are dropped whole (docs/adr/0003).
    Migrations own its SQL.

    `provider_ref` is the provider's own name for a push it took. An APNs push mostly goes by the
    `apns-id` we gave, which `Push.push_id` works out from this row's key.
    """

    class Verdict(models.TextChoices):
        """How it ended."""

        ACCEPTED = "accepted"
        REJECTED = "rejected"
        UNREGISTERED = "unregistered"
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        CAPPED = "capped"
        UNCERTAIN = "uncertain"

    pk = models.CompositePrimaryKey("day", "occurrence_id", "token_id")
    day = models.DateField()
    occurrence_id = models.BigIntegerField()
    token_id = models.IntegerField()
    install_id = models.BigIntegerField(null=True)
    verdict = models.CharField(max_length=16, choices=Verdict.choices)
    reason = models.TextField(default="")
    provider_ref = models.TextField(default="")
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "delivery_delivery"

    def __str__(self) -> str:
        return f"{self.verdict} at token {self.token_id} of occurrence {self.occurrence_id}"
