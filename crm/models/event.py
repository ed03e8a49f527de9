"""What devices told us, kept as they told it."""

from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Left, Now

from crm.models.app import App


class Event(models.Model):
    """One device event; `uuid` is the device's own and makes posting it again harmless.

    `install_uid` and `user_uid` are text on purpose: history must outlive the rows it speaks of.
    """

    app = models.ForeignKey(App, models.CASCADE, related_name="events", db_index=False)
    uuid = models.UUIDField()
    install_uid = models.CharField(max_length=255)
    user_uid = models.TextField(null=True)
    type = models.CharField(max_length=255)
    data = models.JSONField(null=True)
    happened_at = models.DateTimeField()  # the device's clock
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uuid"], name="event_uuid_unique"),
        ]
        indexes = [
            models.Index(fields=["app", "id"], name="event_of_app"),
            models.Index(fields=["app", "install_uid", "id"], name="event_of_install"),
            # who says that a push arrived, by the push; the longest id has ten digits
            models.Index(
                models.F("app"),
                Left(KT("data__id"), 12),
                models.F("install_uid"),
                condition=models.Q(type="k.message.delivered", data__type=1),
                name="event_delivered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.uuid}"
