"""What a call under an idempotency key was answered, for whoever asks again."""

from django.db import models
from django.db.models.functions import Now

from crm.models.app import App

LONGEST_KEY = 255


class KeptAnswer(models.Model):
    """The answer to a call that did something, stored together with what it did.

    There is no row for a call that is still running, or was refused: nothing is left behind by a
    process that dies. A key is the caller's own, and means something behind one door only.
    """

    app = models.ForeignKey(App, models.CASCADE, related_name="kept_answers", db_index=False)
    door = models.CharField(max_length=32)
    key = models.CharField(max_length=LONGEST_KEY)
    mark = models.BinaryField(max_length=32)  # recognises the request; tells nothing of it
    status = models.PositiveSmallIntegerField()
    sealed = models.BinaryField()  # an answer may hold what nobody else should read
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["app", "door", "key"], name="kept_answer_key_unique"),
        ]
        indexes = [models.Index(fields=["created_at"], name="kept_answer_age")]

    def __str__(self) -> str:
        return f"answer {self.status} to {self.key} of {self.app_id}"
