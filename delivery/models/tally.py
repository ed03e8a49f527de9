"""Sums over firings that are finished, so that nobody has to add all of them up again."""

from django.db import models

from crm.models import App


class Sums(models.Model):
    """What became of the pushes of some occurrences, each of which is `tallied`."""

    occurrences = models.BigIntegerField(default=0, db_default=0)
    targeted = models.BigIntegerField(default=0, db_default=0)
    accepted = models.BigIntegerField(default=0, db_default=0)
    rejected = models.BigIntegerField(default=0, db_default=0)
    unregistered = models.BigIntegerField(default=0, db_default=0)
    expired = models.BigIntegerField(default=0, db_default=0)
    cancelled = models.BigIntegerField(default=0, db_default=0)
    capped = models.BigIntegerField(default=0, db_default=0)
    uncertain = models.BigIntegerField(default=0, db_default=0)
    replayed = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


class Tally(Sums):
    """One row: what became of the pushes of every occurrence that is `tallied`."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    # opens up to this id are added; those up to `opens_seen` will be, a minute after they were seen
    opens_added = models.BigIntegerField(default=0, db_default=0)
    opens_seen = models.BigIntegerField(default=0, db_default=0)
    opens_seen_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="tally_is_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.occurrences} occurrences"


class HourTally(Sums):
    """What became of the pushes an app sent in one hour: of `tallied` occurrences, by their begin.

    `opened` counts opens by the moment of the tap.
    """

    app = models.ForeignKey(App, models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField()
    opened = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "hour tallies"
        constraints = [
            models.UniqueConstraint(fields=["app", "hour"], name="hour_tally_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.occurrences} occurrences of app {self.app_id} at {self.hour}"
