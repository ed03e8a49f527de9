"""A slice of an occurrence: the unit of work, of lease and of retry."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from crm.models import App
from delivery.models.breaker import Breaker
from delivery.models.credential import ProviderCredential
from delivery.models.notification import Lane
from delivery.models.occurrence import Occurrence


class Batch(models.Model):
    """Tokens that share a credential, an environment and a topic, fixed when planned.

    What is left to do is its `token_ids` less what the ledger already has of them.
    """

    class State(models.TextChoices):
        """Whose turn it is."""

        WAITING = "waiting"  # for a worker, from `next_attempt_at` on
        SENDING = "sending"  # a worker has it until `lease_until`
        DONE = "done"

    occurrence = models.ForeignKey(Occurrence, models.CASCADE, related_name="batches")
    # its notification's, copied here so that apps are served in turn; it goes with its occurrence
    app = models.ForeignKey(
        App, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    credential = models.ForeignKey(ProviderCredential, models.SET_NULL, null=True)
    transport = models.CharField(max_length=16)
    environment = models.CharField(max_length=16)
    topic = models.CharField(max_length=255)
    lane = models.CharField(max_length=8, choices=Lane.choices)
    token_ids = ArrayField(models.IntegerField())
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.WAITING, db_default="waiting"
    )
    # how often it was taken up: a batch that only waits, minute by minute, for weeks, is too
    attempts = models.IntegerField(default=0, db_default=0)
    tries = models.SmallIntegerField(default=0, db_default=0)  # how often the provider was asked
    lost = models.SmallIntegerField(default=0, db_default=0)  # attempts whose worker vanished
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    last_reason = models.TextField(default="", db_default="")
    # what it waits for beside the time: whoever closes the breaker wakes it
    breaker = models.ForeignKey(Breaker, models.SET_NULL, null=True, db_index=False)
    # its pushes left once before without an answer: they are asked no third time
    resent = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "batches"
        indexes = [
            models.Index(
                fields=["lane", "next_attempt_at", "id"],
                condition=models.Q(state="waiting"),
                name="batch_waiting",
            ),
            models.Index(
                fields=["lane", "app", "next_attempt_at", "id"],
                condition=models.Q(state="waiting"),
                name="batch_waiting_of_app",
            ),
            models.Index(
                fields=["lease_until"], condition=models.Q(state="sending"), name="batch_leased"
            ),
            models.Index(
                fields=["occurrence"],
                condition=models.Q(state__in=["waiting", "sending"]),
                name="batch_unfinished",
            ),
            models.Index(
                fields=["breaker"],
                condition=models.Q(breaker__isnull=False),
                name="batch_held",
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.id} of occurrence {self.occurrence_id}"
