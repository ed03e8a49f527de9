"""The audit log: who changed what, when, through which door."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App


class AuditEntry(models.Model):
    """One change of one row, or one sign-in; written once, never changed or deleted.

    Triggers write it (docs/adr/0023), and other triggers refuse its UPDATE, DELETE and TRUNCATE.
    It outlives what it tells of: operator, app and object are kept by id and by name. `changes` is
    `{column: [before, after]}`; a secret is never in it. Migrations own the table's SQL.
    """

    class Via(models.TextChoices):
        """Through which door it came."""

        ADMIN = "admin", "a page"
        COMMAND = "command", "a command"
        API = "api", "an API"
        DATABASE = "database", "the database"  # nobody said who: SQL by hand, or our own processes

    class Action(models.TextChoices):
        """What was done."""

        ADDED = "added"
        CHANGED = "changed"
        DELETED = "deleted"
        EMPTIED = "emptied"  # the whole table at once
        SIGNED_IN = "signed in"
        SIGNED_OUT = "signed out"
        REFUSED = "refused"  # a sign-in

    at = models.DateTimeField(db_default=Now())
    via = models.CharField(max_length=8, choices=Via.choices, default=Via.DATABASE)
    operator_id = models.BigIntegerField(null=True)
    actor = models.TextField(default="")
    app = models.ForeignKey(
        App, models.DO_NOTHING, null=True, db_constraint=False, related_name="+"
    )
    action = models.CharField(max_length=16, choices=Action.choices)
    kind = models.TextField()  # the label of the object's model
    object_id = models.TextField(default="")
    object_name = models.TextField(default="")
    changes = models.JSONField(default=dict)
    request_id = models.TextField(default="")
    address = models.TextField(default="")

    class Meta:
        managed = False  # or Django would empty it with every other table
        db_table = "crm_auditentry"
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor or self.via} {self.action} {self.kind} {self.object_id}".rstrip()
