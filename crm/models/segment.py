"""A rule with a name."""

import uuid

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class Segment(models.Model):
    """People described by a rule instead of a list.

    The rule is data and carries its version; `crm.segments.rules` reads it.
    """

    id = models.AutoField(primary_key=True)
    app = models.ForeignKey(App, models.CASCADE, related_name="segments")
    uuid = models.UUIDField(default=uuid.uuid4)
    name = models.CharField(max_length=255)
    rule = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uuid"], name="segment_uuid_unique"),
            models.UniqueConstraint(fields=["app", "name"], name="segment_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name
