"""Sums over firings that are finished, so that nobody has to add all of them up again."""

from django.db import models


class Tally(models.Model):
    """One row: what became of the pushes of every occurrence that is `tallied`."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    occurrences = models.BigIntegerField(default=0, db_default=0)
    targeted = models.BigIntegerField(default=0, db_default=0)
    accepted = models.BigIntegerField(default=0, db_default=0)
    rejected = models.BigIntegerField(default=0, db_default=0)
    unregistered = models.BigIntegerField(default=0, db_default=0)
    expired = models.BigIntegerField(default=0, db_default=0)
    cancelled = models.BigIntegerField(default=0, db_default=0)
    uncertain = models.BigIntegerField(default=0, db_default=0)
    replayed = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="tally_is_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.occurrences} occurrences"
