"""An address a provider can push to."""

from django.db import models
from django.db.models.functions import MD5, Now

from crm.models.app import App
from crm.models.install import Install


class DeviceTokenQuerySet(models.QuerySet["DeviceToken"]):
    """Tokens, by whether a push may go to them."""

    def reachable(self) -> "DeviceTokenQuerySet":
        """Tokens believed alive whose owner has not switched notifications off."""
        return self.filter(state=DeviceToken.State.ALIVE, enabled=True)


class DeviceToken(models.Model):
    """A provider's name for one app on one device; ConnectyCube calls it a subscription.

    It belongs to one install at a time, and through it to that install's current user: seen from a
    second install it moves there.
    It dies only by a provider's proof and comes back when a device registers it again; a word that
    is no proof puts it in quarantine, where no push goes either.
    """

    class State(models.TextChoices):
        """What is known of a token's life."""

        ALIVE = "alive"
        QUARANTINED = "quarantined"  # said to be dead, but the proof is weak
        DEAD = "dead"

    class Kind(models.TextChoices):
        """What the value is; FCM is moving from tokens to Firebase installation ids."""

        TOKEN = "token"  # noqa: S105 - a kind of address
        FID = "fid"

    # ConnectyCube subscriptions carry it in a signed 32-bit integer
    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="device_tokens", db_index=False)
    install = models.ForeignKey(Install, models.CASCADE, related_name="device_tokens")
    transport = models.CharField(max_length=16)
    environment = models.CharField(max_length=16)
    # false where the device did not say: the other one is tried before the token is called dead
    environment_known = models.BooleanField(default=True, db_default=True)
    topic = models.CharField(max_length=255, default="", db_default="")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.TOKEN)
    value = models.TextField()
    # stands in for the value in indexes: an FCM token may be longer than an index row
    value_digest = models.GeneratedField(
        expression=MD5("value"), output_field=models.CharField(max_length=32), db_persist=True
    )
    details = models.JSONField(default=dict, db_default={})  # web push keys and the like
    enabled = models.BooleanField(default=True, db_default=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.ALIVE)
    state_reason = models.TextField(default="", db_default="")
    state_changed_at = models.DateTimeField(db_default=Now())
    registered_at = models.DateTimeField(db_default=Now())

    objects = DeviceTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app", "value_digest", "transport", "environment", "topic"],
                name="device_token_address_unique",
            ),
        ]
        indexes = [
            # the one index fan-out walks: reachable addresses of an app in key order
            models.Index(
                fields=["app", "id"],
                include=["transport", "environment", "topic"],
                condition=models.Q(state="alive", enabled=True),
                name="device_token_reachable",
            ),
            models.Index(fields=["app", "id"], name="device_token_of_app"),
            models.Index(
                fields=["app", "id"],
                condition=~models.Q(state="alive"),
                name="device_token_of_app_not_alive",
            ),
            models.Index(
                fields=["state_changed_at"],
                condition=~models.Q(state="alive"),
                name="device_token_retired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.transport} token {self.id}"
