"""One app on one device."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App
from crm.models.user import User


class Install(models.Model):
    """A copy of an app on a device, named by the device itself.

    `uid` is opaque and case-sensitive: iOS sends upper-case UUIDs, Android lower-case ones, old
    samples `abcdefgh` (contracts/kumulos §1). Columns hold what targeting asks about; `details`
    keeps everything the device said.
    """

    app = models.ForeignKey(App, models.CASCADE, related_name="installs", db_index=False)
    uid = models.CharField(max_length=255)
    # not PROTECT: that would also keep an app from being deleted with all it has
    user = models.ForeignKey(User, models.RESTRICT, related_name="installs")
    os = models.CharField(max_length=32, default="", db_default="")
    os_version = models.CharField(max_length=64, default="", db_default="")
    sdk_type = models.CharField(max_length=32, default="", db_default="")
    sdk_version = models.CharField(max_length=64, default="", db_default="")
    app_version = models.CharField(max_length=64, default="", db_default="")
    device_model = models.CharField(max_length=255, default="", db_default="")
    timezone = models.CharField(max_length=64, default="", db_default="")
    timezone_since = models.DateTimeField(null=True)  # when it last moved; most never do
    locale = models.CharField(max_length=64, default="", db_default="")
    country = models.CharField(max_length=2, default="", db_default="")
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    details = models.JSONField(default=dict, db_default={})
    first_active_at = models.DateTimeField(db_default=Now())
    last_active_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uid"], name="install_uid_unique"),
        ]
        indexes = [
            models.Index(fields=["app", "id"], name="install_of_app"),
            # which zones an app's devices live in, and who lives in one
            models.Index(fields=["app", "timezone"], name="install_timezone"),
            models.Index(
                fields=["app", "timezone_since"],
                condition=models.Q(timezone_since__isnull=False),
                name="install_moved",
            ),
        ]

    def __str__(self) -> str:
        return self.uid
