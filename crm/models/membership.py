"""Who may do what in the admin, app by app."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class Role(models.IntegerChoices):
    """What an operator may do in one app; each may do what those before it may."""

    VIEWER = 1, "viewer: sees everything but secrets"
    SENDER = 2, "sender: sends, pauses and cancels, and edits whom to send to"
    ADMIN = 3, "admin: keys, credentials, webhooks and people's data, too"


class Membership(models.Model):
    """An operator's role in an app. A superuser needs none: every app is theirs."""

    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships"
    )
    app = models.ForeignKey(App, models.CASCADE, related_name="memberships")
    role = models.SmallIntegerField(choices=Role.choices, default=Role.VIEWER)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator", "app"], name="membership_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.operator} is {Role(self.role).name.lower()} of {self.app}"
