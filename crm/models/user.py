"""A person an app knows."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class User(models.Model):
    """Someone known under `uid`, the caller's own name for them.

    An anonymous user stands in for an install nobody has signed in on; its uid is the install's.
    The ConnectyCube side fills the profile and finds people by login, e-mail or external ids.
    """

    UID_LIMIT = 512
    """The longest uid, in characters; more would not fit an index row."""

    # mobile SDKs of ConnectyCube keep it in a signed 32-bit integer
    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="users", db_index=False)
    uid = models.CharField(max_length=UID_LIMIT)
    # made up here for someone who signed up without a name of the caller's
    uid_is_ours = models.BooleanField(default=False, db_default=False)
    anonymous = models.BooleanField(default=False, db_default=False)
    attributes = models.JSONField(default=dict, db_default={})
    tags = ArrayField(models.TextField(), default=list, db_default=[])
    in_app_enabled = models.BooleanField(null=True)
    login = models.CharField(max_length=255, null=True)
    email = models.CharField(max_length=255, null=True)
    password = models.TextField(null=True)
    external_user_id = models.BigIntegerField(null=True)
    full_name = models.CharField(max_length=255, null=True)
    profile = models.JSONField(default=dict, db_default={})
    guest_until = models.DateTimeField(null=True)
    first_active_at = models.DateTimeField(null=True)
    last_active_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uid"], name="user_uid_unique"),
            models.UniqueConstraint(fields=["app", "login"], name="user_login_unique"),
            models.UniqueConstraint(fields=["app", "email"], name="user_email_unique"),
            models.UniqueConstraint(
                fields=["app", "external_user_id"], name="user_external_user_id_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["app", "id"], name="user_of_app"),
            models.Index(fields=["app", "created_at", "id"], name="user_listing"),
            models.Index(
                fields=["app", "full_name"],
                condition=models.Q(full_name__isnull=False),
                name="user_full_name",
            ),
            models.Index(
                fields=["guest_until"],
                condition=models.Q(guest_until__isnull=False),
                name="user_guest",
            ),
            GinIndex(OpClass("attributes", name="jsonb_path_ops"), name="user_attributes"),
            GinIndex(fields=["tags"], name="user_tags"),
        ]

    def __str__(self) -> str:
        return self.uid
