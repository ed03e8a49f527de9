"""An opt-in list, and who opted in."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App
from crm.models.install import Install
from crm.models.user import User


class Channel(models.Model):
    """A list people and installs subscribe to; devices know it by `uuid`, backends also by id."""

    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="channels", db_index=False)
    uuid = models.CharField(max_length=255)
    name = models.CharField(max_length=255, null=True, blank=True)
    show_in_portal = models.BooleanField(default=False)
    meta = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uuid"], name="channel_uuid_unique"),
        ]
        indexes = [
            models.Index(fields=["app", "id"], name="channel_of_app"),
            models.Index(fields=["app", "name"], name="channel_name"),
        ]

    def __str__(self) -> str:
        return self.name or self.uuid


class ChannelSubscription(models.Model):
    """One install or one user in one channel; the two are kept apart (contracts/kumulos §6.13)."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="subscriptions")
    install = models.ForeignKey(
        Install, models.CASCADE, null=True, related_name="channel_subscriptions"
    )
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="channel_subscriptions")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "install"], name="subscribed_install"),
            models.UniqueConstraint(fields=["channel", "user"], name="subscribed_user"),
            models.CheckConstraint(
                condition=models.Q(install__isnull=False, user__isnull=True)
                | models.Q(install__isnull=True, user__isnull=False),
                name="channel_subscription_is_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.install_id or self.user_id} in {self.channel_id}"
