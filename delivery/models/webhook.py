"""Where callers want to hear what happened, what there is to tell, and how far each was told."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from crm.models import App
from crm.sealing import seal, unseal

LANES = 4
"""Streams an app's events are told in, side by side; all of an install's are in one of them."""


class Topic(models.TextChoices):
    """What can be told."""

    OUTCOME = "push.outcome", "push.outcome: what became of a push to one device"
    OPENED = "push.opened", "push.opened: someone tapped, for the first time"
    RETIRED = "token.retired", "token.retired: a provider called a device token dead"
    QUARANTINED = "token.quarantined", "token.quarantined: one that may be dead, and is left alone"
    FINISHED = "notification.finished", "notification.finished: a send and all its counts"


class Webhook(models.Model):
    """An address of a caller's backend that is told what happened; calls to it are signed.

    Once stopped it keeps its place: what happens meanwhile is told when it is started again.
    """

    app = models.ForeignKey(App, models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=2048)
    topics = models.JSONField(default=list)
    active = models.BooleanField(default=True, db_default=True)
    stopped_because = models.TextField(default="", db_default="", blank=True)
    # events in one request: 250 stay below the 100 KB many servers take unless told otherwise
    most_events = models.PositiveSmallIntegerField(default=250, db_default=250)
    last_ok_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.url


class WebhookSecretQuerySet(models.QuerySet["WebhookSecret"]):
    """Secrets, by whether they still sign."""

    def live(self) -> "WebhookSecretQuerySet":
        """Those that sign now; a rotated one does until its time is over."""
        return self.filter(models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=Now()))


class WebhookSecret(models.Model):
    """What calls to a webhook are signed with; several, while its receiver moves to a new one."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="secrets")
    sealed = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True)

    objects = WebhookSecretQuerySet.as_manager()

    def __str__(self) -> str:
        return f"secret {self.pk} of webhook {self.webhook_id}"

    @property
    def secret(self) -> str:
        """The secret in clear; never log it."""
        return unseal(self.sealed)

    @secret.setter
    def secret(self, value: str) -> None:
        self.sealed = seal(value)


class WebhookStream(models.Model):
    """How many events of an app have their number; its row is held by whoever gives them one."""

    app = models.OneToOneField(App, models.CASCADE, primary_key=True, related_name="+")
    last_seq = models.BigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"events of {self.app_id} up to {self.last_seq}"


class WebhookEvent(models.Model):
    """Something to tell: the outbox of an app, written with what it tells of.

    One thing with its `body`, or many of a kind: the pushes of an occurrence to `token_ids`, of
    which the ledger knows the rest. Its number comes after its transaction, so that nothing ever
    appears behind a reader's back (docs/adr/0018).
    """

    app = models.ForeignKey(
        App, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    seq = models.BigIntegerField(null=True)
    lane = models.SmallIntegerField()
    topic = models.CharField(max_length=32, choices=Topic.choices)
    install_id = models.BigIntegerField(null=True)
    occurrence_id = models.BigIntegerField(null=True)
    day = models.DateField(null=True)  # the ledger's, of the occurrence
    token_ids = ArrayField(models.IntegerField(), null=True)  # in their order
    body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["app", "id"],
                condition=models.Q(seq__isnull=True),
                name="webhook_event_unnumbered",
            ),
            models.Index(
                fields=["app", "lane", "seq"],
                condition=models.Q(seq__isnull=False),
                name="webhook_event_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.seq} of app {self.app_id}"


class WebhookDelivery(models.Model):
    """One message to a webhook: which events it held, how often it was tried, what was answered."""

    class State(models.TextChoices):
        """Where it is."""

        SENDING = "sending"
        WAITING = "waiting", "waiting to be tried again"
        DELIVERED = "delivered"
        DIVIDED = "divided", "divided into smaller ones"
        GIVEN_UP = "given_up", "given up"

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", db_index=False)
    message_id = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices)
    replay = models.BooleanField(default=False, db_default=False)
    lane = models.SmallIntegerField()
    subject = models.BigIntegerField(null=True)
    events = models.IntegerField()
    # the stretch of the lane it covers: after the one position, up to the other
    after_seq = models.BigIntegerField()
    after_part = models.BigIntegerField()
    until_seq = models.BigIntegerField()
    until_part = models.BigIntegerField()
    attempts = models.SmallIntegerField(default=0, db_default=0)
    status = models.SmallIntegerField(null=True)
    answer = models.TextField(default="", db_default="")
    milliseconds = models.IntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    tried_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["webhook", "id"], name="webhook_delivery_of_webhook"),
            models.Index(
                fields=["webhook", "state", "id"],
                condition=~models.Q(state="delivered"),
                name="webhook_delivery_unsettled",
            ),
        ]

    def __str__(self) -> str:
        return self.message_id


class WebhookReader(models.Model):
    """How far a webhook was told one stretch of its app's events, and when it is told more.

    A webhook has one for each lane, one for each install that is held back, and one for each lane
    of a replay. All up to (`seq`, `part`) is told; with no `next_attempt_at` there is no more now.
    """

    class Kind(models.TextChoices):
        """What it reads."""

        LANE = "lane"  # a lane, but for installs held back
        HOLD = "hold"  # one install, as far as its lane has come
        REPLAY = "replay"  # a stretch told before

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="readers", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    lane = models.SmallIntegerField()
    subject = models.BigIntegerField(null=True)
    seq = models.BigIntegerField()
    part = models.BigIntegerField(default=0, db_default=0)
    until_seq = models.BigIntegerField(null=True)
    until_part = models.BigIntegerField(null=True)
    attempts = models.SmallIntegerField(default=0, db_default=0)
    width = models.SmallIntegerField(null=True)  # events in the next request, where narrowed
    narrowed_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    claims = models.IntegerField(default=0, db_default=0)  # tells one worker from the next
    delivery = models.ForeignKey(
        WebhookDelivery, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["webhook", "lane"],
                condition=models.Q(kind="lane"),
                name="webhook_reader_one_a_lane",
            ),
            models.UniqueConstraint(
                fields=["webhook", "subject"],
                condition=models.Q(kind="hold"),
                name="webhook_reader_one_an_install",
            ),
        ]
        indexes = [
            models.Index(fields=["webhook"], name="webhook_reader_of_webhook"),
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="webhook_reader_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.lane} of webhook {self.webhook_id} at {self.seq}.{self.part}"
