import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from delivery import answers, fanout
from delivery.answers import Answers, Asked
from delivery.models import Delivery, Occurrence
from delivery.providers.contract import Outcome, Verdict
from delivery.scheduling import claims

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answered(phones, sends, credentials):
    """Answers of a batch whose one push was accepted, and not recorded yet."""
    with transaction.atomic():
        [token] = phones.many(1)
    list(fanout.plan_batches(sends.to_everyone().pk))
    found = Answers(claims.take_batch("bulk", now=timezone.now()), Asked())
    found.take([Outcome(token.pk, Verdict.ACCEPTED)])
    return found


def hang_up():
    """Have the database end our connection."""
    pid = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_answers_outlive_the_connection_they_were_to_be_recorded_on(answered):
    hang_up()

    answered.settle()

    # the ledger is partitioned by hand, so no flush empties it: others' rows may be there
    [occurrence] = Occurrence.objects.all()
    assert Delivery.objects.get(occurrence_id=occurrence.pk).verdict == "accepted"


def test_answers_are_not_kept_for_ever(answered, monkeypatch):
    monkeypatch.setattr(answers, "PATIENCE", 0.0)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    hang_up()

    with pytest.raises(OperationalError):
        answered.settle()
