"""A bearer token acting in one app, perhaps for one user; nonces that opened one."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App
from crm.models.user import User


class Session(models.Model):
    """A ConnectyCube session; only the fingerprint of its token is kept."""

    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="sessions")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="sessions")
    token_fingerprint = models.BinaryField(max_length=32)
    nonce = models.BigIntegerField(null=True)
    timestamp = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token_fingerprint"], name="session_token_unique"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="session_expiry")]

    def __str__(self) -> str:
        return f"session {self.id}"


class UsedNonce(models.Model):
    """A pair of timestamp and nonce that opened a session; no signed request does so twice."""

    app = models.ForeignKey(App, models.CASCADE, related_name="used_nonces", db_index=False)
    timestamp = models.BigIntegerField()  # seconds since the epoch, as the caller's clock had it
    nonce = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app", "timestamp", "nonce"], name="nonce_is_used_once"
            ),
        ]
        indexes = [models.Index(fields=["timestamp"], name="used_nonce_age")]

    def __str__(self) -> str:
        return f"nonce {self.nonce} of {self.timestamp}"
