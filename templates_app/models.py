"""In-app message templates, as backends store them."""

from django.db import models
from django.db.models.functions import Now

from crm.models import App


class Template(models.Model):
    """The content of an in-app message, named by its caller; `content` is returned as it came."""

    app = models.ForeignKey(App, models.CASCADE, related_name="templates")
    uid = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    content = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "uid"], name="template_uid_unique"),
        ]

    def __str__(self) -> str:
        return self.name
