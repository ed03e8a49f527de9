"""What counts against an app's cap, by install."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class CapTaken(models.Model):
    """The slots an install has taken: which firings were sent to it, and when, in that order.

    Only `delivery.capping` writes it. `install_id` refers to nothing: to hold each install of a
    batch would cost as much as the slots do. `day` is that of the latest slot, and has an index;
    the moments have none, so that a push mostly changes no index at all.
    """

    install_id = models.BigIntegerField(primary_key=True)
    occurrence_ids = ArrayField(models.BigIntegerField())
    taken_at = ArrayField(models.DateTimeField())
    day = models.DateField()

    class Meta:
        verbose_name_plural = "slots taken"
        indexes = [models.Index(fields=["day"], name="cap_taken_day")]

    def __str__(self) -> str:
        return f"{len(self.occurrence_ids)} slots of install {self.install_id}"
