"""What became of pushes in detail, from the ledger and from what devices said."""

from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from crm.models import Event
from delivery import dispatch, fanout
from delivery.breakdown import BARS, RECEIPTS, break_down
from delivery.models import Batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(sends, phones, memory):
    memory({"apns-apns-1": "unregistered", "fcm-fcm-0": "rejected"})
    phones.many(3)
    phones.many(2, transport="fcm")
    occurrence = sends.to_everyone()
    list(fanout.plan_batches(occurrence.pk))
    for batch in Batch.objects.select_related("occurrence__notification"):
        dispatch.deliver_next(batch.lane)
    return occurrence.notification


def delivered(app, install, notification_id, **said):
    return Event.objects.create(
        app=app,
        uuid=uuid4(),
        install_uid=install,
        type="k.message.delivered",
        data={"type": 1, "id": notification_id, **said},
        happened_at=timezone.now(),
    )


def test_outcomes_are_told_apart_by_platform_verdict_and_reason(sent):
    found = break_down(sent, now=timezone.now())
    assert found.targeted == {"apns": 3, "fcm": 2}
    by_verdict = {(k.transport, k.verdict): n for k, n in found.outcomes.items()}
    assert by_verdict[("apns", "accepted")] == 2
    assert sum(found.outcomes.values()) == 5
    assert sum(count for _, count in found.bars) == 5
    assert len(found.bars) <= BARS


def test_receipts_count_installs_that_said_it_arrived(app, sent):
    delivered(app, "apns-0", sent.pk)
    delivered(app, "apns-0", sent.pk)
    delivered(app, "apns-2", sent.pk)
    delivered(app, "apns-1", sent.pk, type=2)  # an in-app message's id
    delivered(app, "apns-1", 10**30)  # longer than any id: cut, and nobody's
    assert break_down(sent, now=timezone.now()).receipts == 2


def test_receipts_are_found_in_their_index(app, sent):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {RECEIPTS}", {"app": app.pk, "id": sent.pk})
        assert "event_delivered" in "\n".join(line for (line,) in cursor.fetchall())
