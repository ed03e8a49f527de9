"""Whether pushes may go out through a credential, in one environment and to one topic."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from delivery.models.credential import ProviderCredential


class Breaker(models.Model):
    """What is known of a credential's health where it is used; made with the first answer.

    `doubted` are tokens believed dead since a push was last accepted, on a word that may be our own
    mistake: they come back where the credential turns out to be at fault.
    """

    class State(models.TextChoices):
        """Who may send."""

        CLOSED = "closed", "closed"  # everybody
        OPEN = "open", "open"  # nobody, until `next_probe_at`
        PROBING = "probing", "half-open"  # one worker, a few pushes; all others wait

    credential = models.ForeignKey(ProviderCredential, models.CASCADE, related_name="breakers")
    environment = models.CharField(max_length=16)
    topic = models.CharField(max_length=255)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.CLOSED, db_default="closed"
    )
    reason = models.TextField(default="", db_default="")  # why it opened last
    opened_at = models.DateTimeField(null=True)
    # while it probes, the moment from which its worker is taken for lost
    next_probe_at = models.DateTimeField(null=True)
    failed_probes = models.SmallIntegerField(default=0, db_default=0)  # since it opened
    doubted = ArrayField(models.IntegerField(), default=list, db_default=[])
    # the last proof that it works, to within some minutes, since the credential was stored
    worked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["credential", "environment", "topic"], name="breaker_unique_for_its_use"
            ),
        ]
        indexes = [
            models.Index(
                fields=["opened_at"],
                condition=~models.Q(state="closed"),
                name="breaker_not_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"breaker {self.id}, {self.environment} {self.topic}".rstrip()
