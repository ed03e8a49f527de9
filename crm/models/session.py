"""A bearer token acting in one app, perhaps for one user."""

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
