"""How far an import has come."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class ImportRun(models.Model):
    """One file on its way into one app; the same file again goes on after its last stored line."""

    app = models.ForeignKey(App, models.CASCADE, related_name="imports")
    kind = models.CharField(max_length=32)
    digest = models.CharField(max_length=64)  # SHA-256 of the file, in hexadecimal digits
    file_name = models.TextField()
    lines_read = models.BigIntegerField(default=0, db_default=0)
    stored = models.BigIntegerField(default=0, db_default=0)
    refused = models.BigIntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "kind", "digest"], name="import_run_of_a_file"),
        ]

    def __str__(self) -> str:
        return f"import of {self.file_name} ({self.kind})"
