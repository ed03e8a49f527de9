"""One ask: message, audience, schedule."""

from django.db import models
from django.db.models.functions import Now

from crm.models import App, User


class Lane(models.TextChoices):
    """Where work waits its turn: the first lane is emptied before the two others, which alternate.

    An ask is urgent or bulk; a batch comes to `RETRY` when its provider must be asked again.
    """

    URGENT = "urgent"
    RETRY = "retry"
    BULK = "bulk"

    @property
    def queue(self) -> str:
        """The queue whose messages have workers look into this lane."""
        return (Lane.URGENT if self is Lane.URGENT else Lane.BULK).value


ASKED = [(lane.value, lane.label) for lane in (Lane.URGENT, Lane.BULK)]
"""The lanes an ask may be in."""


class Notification(models.Model):
    """What a caller asked for, stored before they are told it was accepted.

    `filters` is the audience in the caller's own words, given back as it came; `audience` is ours.
    """

    class Source(models.TextChoices):
        """Through which surface it was asked."""

        KUMULOS = "kumulos"
        CONNECTYCUBE = "connectycube"
        CONSOLE = "console"

    class Kind(models.TextChoices):
        """Where the message ends up."""

        PUSH = "push"  # on the screen, through a provider
        IN_APP = "in_app"  # in the user's inbox, which the app's SDK fetches

    # 1 … 2³¹-1: Android truncates larger numbers, Swift ignores 0 (contracts/kumulos §1)
    id = models.AutoField(primary_key=True)
    # no index of its own: that of its app and id begins with it
    app = models.ForeignKey(App, models.CASCADE, related_name="notifications", db_index=False)
    source = models.CharField(max_length=16, choices=Source.choices)
    kind = models.CharField(
        max_length=8, choices=Kind.choices, default=Kind.PUSH, db_default="push"
    )
    author = models.ForeignKey(User, models.SET_NULL, null=True)
    # who composed it in the admin; a name, which outlives the operator
    operator = models.CharField(max_length=150, default="", db_default="")
    name = models.CharField(max_length=255, default="", db_default="")
    message = models.JSONField()
    audience = models.JSONField()
    schedule = models.JSONField()
    filters = models.JSONField(default=dict)
    reporting_meta = models.JSONField(default=dict, db_default={})
    user_meta = models.JSONField(default=dict, db_default={})
    lane = models.CharField(max_length=8, choices=ASKED)
    # a push that left without an answer is sent once more: doubled perhaps, rather than lost
    resend_uncertain = models.BooleanField(default=False, db_default=False)
    time_to_live = models.DurationField()  # from each firing; no push is tried after it
    # until then devices may turn up in a zone this local send has no firing for yet
    zones_open_until = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)  # nothing of it fires until it is taken up again
    deleted_at = models.DateTimeField(
        null=True
    )  # its dialect shows it no more, the ledger keeps it
    # of the request that asked, so that what is done about it later is found with it
    request_id = models.CharField(max_length=64, null=True)
    trace_parent = models.CharField(max_length=64, null=True)  # W3C Trace Context
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(deleted_at=None) | models.Q(cancelled_at__isnull=False),
                name="notification_deleted_is_cancelled",
            ),
        ]
        indexes = [
            models.Index(fields=["app", "id"], name="notification_of_app"),
            models.Index(
                fields=["zones_open_until"],
                condition=models.Q(zones_open_until__isnull=False),
                name="notification_zones_open",
            ),
        ]

    def __str__(self) -> str:
        return f"notification {self.id}"
