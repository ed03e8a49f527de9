"""An app's key for one provider."""

from django.db import models
from django.db.models.functions import Now

from crm.models import App
from crm.sealing import seal, unseal


class ProviderCredential(models.Model):
    """What lets an app in at APNs or FCM; the secret is kept sealed.

    `facts` holds what may be shown: key id and team, topics, project. An empty `environment` serves
    both of Apple's worlds, an empty `topic` every topic. `endpoint` aims it at another address than
    the provider's own, trusted by `ca_pem`: operators only.
    """

    class Kind(models.TextChoices):
        """In which form the secret comes."""

        KEY = "key", "APNs signing key (.p8)"
        CERTIFICATE = "certificate", "APNs certificate and key (PEM)"
        SERVICE_ACCOUNT = "service_account", "FCM service account (JSON)"

    app = models.ForeignKey(App, models.CASCADE, related_name="credentials")
    # its app's, which the database holds it to
    mode = models.CharField(
        max_length=4,
        choices=App.Mode.choices,
        default=App.Mode.LIVE,
        db_default="live",
        editable=False,
    )
    provider = models.CharField(max_length=8, choices=[("apns", "APNs"), ("fcm", "FCM")])
    kind = models.CharField(max_length=16, choices=Kind.choices)
    environment = models.CharField(max_length=16, default="", db_default="", blank=True)
    topic = models.CharField(max_length=255, default="", db_default="", blank=True)
    sealed = models.BinaryField()
    facts = models.JSONField(default=dict, db_default={})
    endpoint = models.CharField(max_length=255, default="", db_default="", blank=True)
    ca_pem = models.TextField(default="", db_default="", blank=True)
    # pushes a second; null: as many as its provider takes, 0: as many as we can
    pace = models.PositiveIntegerField(null=True, blank=True)
    version = models.IntegerField(default=1, db_default=1)
    # the smallest number of days to expiry the log has warned of
    warned_days = models.SmallIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app", "provider", "environment", "topic"],
                name="credential_unique_for_its_use",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} credential of app {self.app_id}"

    @property
    def secret(self) -> str:
        """The secret in clear; never log it."""
        return unseal(self.sealed)

    @secret.setter
    def secret(self, value: str) -> None:
        self.sealed = seal(value)
