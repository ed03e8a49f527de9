"""One firing of a notification."""

from datetime import date, datetime, timedelta
from typing import NamedTuple, Self

from django.db import models
from django.db.models.functions import Now

from delivery.models.notification import Notification


class Firing(NamedTuple):
    """When an occurrence is due, for one time zone or for all (''), and its deadlines."""

    due_at: datetime
    zone: str
    latest_start_at: datetime | None
    expires_at: datetime
    ledger_day: date

    @classmethod
    def of(
        cls, notification: Notification, *, at: datetime, zone: str = "", late: timedelta | None
    ) -> Self:
        """Give the firing of a notification at a moment; `late` is how much later it may begin."""
        return cls(
            due_at=at,
            zone=zone,
            latest_start_at=None if late is None else at + late,
            expires_at=at + notification.time_to_live,
            ledger_day=at.date(),
        )


class OccurrenceQuerySet(models.QuerySet["Occurrence"]):
    """Occurrences, by the work they wait for."""

    def due(self, now: datetime) -> "OccurrenceQuerySet":
        """Firings nobody has taken up, and those whose planner was lost."""
        waiting = models.Q(state=Occurrence.State.DUE, due_at__lte=now)
        stalled = models.Q(state=Occurrence.State.PLANNING, lease_until__lt=now)
        return self.filter(waiting | stalled)


class Occurrence(models.Model):
    """A notification firing at one moment, for one time zone or for all ('').

    targeted = accepted + rejected + unregistered + expired + cancelled + capped + uncertain +
    pending, at any moment: counters move in the transaction that writes what they count.
    `replayed` counts pushes sent again though an earlier one may have arrived: after a worker was
    lost with answers unrecorded, or where the ask wants uncertain ones sent once more.
    """

    class State(models.TextChoices):
        """Where a firing is; it only moves down this list."""

        DUE = "due"
        PLANNING = "planning"
        SENDING = "sending"
        FINISHED = "finished"
        CANCELLED = "cancelled"
        SKIPPED = "skipped"  # whoever should have fired it came too late

    UNDER_WAY = (State.PLANNING, State.SENDING)
    OVER = (State.FINISHED, State.CANCELLED, State.SKIPPED)

    # no index of its own: the one by which it fires once begins with it
    notification = models.ForeignKey(
        Notification, models.CASCADE, related_name="occurrences", db_index=False
    )
    due_at = models.DateTimeField()
    zone = models.CharField(max_length=64, default="", db_default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.DUE)
    cursor = models.BigIntegerField(default=0, db_default=0)  # the last token id planned
    lease_until = models.DateTimeField(null=True)
    latest_start_at = models.DateTimeField(null=True)  # taken up later than this, it is skipped
    expires_at = models.DateTimeField()
    ledger_day = models.DateField()  # the ledger partition all its outcomes go to
    # what it says, where its notification was given another message while this was under way
    message = models.JSONField(null=True)
    # under way, it may be held up for a while, or called off: what is left is then not sent
    held_at = models.DateTimeField(null=True)
    called_off_at = models.DateTimeField(null=True)
    held_for = models.DurationField(default=timedelta, db_default=timedelta())  # pauses now over
    targeted = models.IntegerField(default=0, db_default=0)
    accepted = models.IntegerField(default=0, db_default=0)
    rejected = models.IntegerField(default=0, db_default=0)
    unregistered = models.IntegerField(default=0, db_default=0)
    expired = models.IntegerField(default=0, db_default=0)
    cancelled = models.IntegerField(default=0, db_default=0)
    capped = models.IntegerField(default=0, db_default=0)  # held back by the app's cap
    uncertain = models.IntegerField(default=0, db_default=0)
    replayed = models.IntegerField(default=0, db_default=0)
    # finished and part of the sums of all that are (`delivery/tally.py`)
    tallied = models.BooleanField(default=False, db_default=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OccurrenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "due_at", "zone"], name="occurrence_fires_once"
            ),
            models.UniqueConstraint(
                fields=["notification", "zone"],
                condition=models.Q(state="due"),
                name="occurrence_is_the_one_ahead",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    targeted__gte=models.F("accepted")
                    + models.F("rejected")
                    + models.F("unregistered")
                    + models.F("expired")
                    + models.F("cancelled")
                    + models.F("capped")
                    + models.F("uncertain")
                ),
                name="occurrence_conserves_its_pushes",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["due", "planning"]),
                name="occurrence_unplanned",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(state="sending"),
                name="occurrence_sending",
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(state="finished", tallied=False),
                name="occurrence_untallied",
            ),
        ]

    def __str__(self) -> str:
        return f"occurrence {self.id} of {self.notification_id}"

    @classmethod
    def of(
        cls, notification: Notification, *, at: datetime, zone: str = "", late: timedelta | None
    ) -> Self:
        """Give an unsaved firing at a moment; `late` is how much later it may begin."""
        firing = Firing.of(notification, at=at, zone=zone, late=late)
        return cls(notification=notification, **firing._asdict())

    def date(self, at: datetime, *, late: timedelta | None) -> None:
        """Put a firing nobody has taken up at a moment, from which all its deadlines count."""
        firing = Firing.of(self.notification, at=at, zone=self.zone, late=late)
        for name, value in firing._asdict().items():
            setattr(self, name, value)

    @property
    def settled(self) -> int:
        """Pushes whose outcome is recorded."""
        return (
            self.accepted
            + self.rejected
            + self.unregistered
            + self.expired
            + self.cancelled
            + self.capped
            + self.uncertain
        )

    @property
    def pending(self) -> int:
        """Pushes still to be answered for."""
        return self.targeted - self.settled
