"""When a send should be done: told from what happened, and unknown where nothing tells."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from delivery import fanout
from delivery.commands.amend import pause_sending, resume_sending
from delivery.models import Batch, Occurrence, ProviderCredential
from delivery.outlook import expected_finishes
from delivery.reports import firings, progress

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def under_way(phones, sends, settings, credentials):
    """Give a broadcast to ten that began so long ago, of which so many have been answered."""
    settings.BATCH_SIZE = 2
    phones.many(10)
    planned = []

    def go(*, settled=5, took=MINUTE, **members):
        occurrence = sends.to_everyone()
        list(fanout.plan_batches(occurrence.pk))
        planned.append(occurrence.pk)
        Occurrence.objects.filter(pk=occurrence.pk).update(
            accepted=settled, started_at=timezone.now() - took, **members
        )
        occurrence.refresh_from_db()
        return occurrence

    return go


def wait(occurrence):
    """Give the seconds until it should be done, None where that is unknown."""
    now = timezone.now()
    [(pk, finish)] = expected_finishes([occurrence], now=now).items()
    assert pk == occurrence.pk
    return finish and (finish - now).total_seconds()


def test_the_rest_goes_as_fast_as_it_went_so_far(under_way):
    assert wait(under_way(settled=2)) == pytest.approx(240, abs=5)
    assert wait(under_way(settled=8)) == pytest.approx(15, abs=1)


def test_it_goes_no_faster_than_its_pace(under_way):
    # five in two seconds would be done in two more; at one in five seconds the pace is short
    occurrence = under_way(took=timedelta(seconds=2))
    assert wait(occurrence) == pytest.approx(2, abs=0.5)
    ProviderCredential.objects.filter(provider="apns").update(pace=1)
    assert wait(occurrence) == pytest.approx(5, abs=0.5)


def test_it_is_not_done_before_its_last_retry(under_way):
    occurrence = under_way(settled=9)
    last = Batch.objects.order_by("pk").last()
    later = timezone.now() + 15 * MINUTE
    Batch.objects.filter(pk=last.pk).update(next_attempt_at=later, lane="retry")

    assert wait(occurrence) == pytest.approx(900, abs=5)


def test_what_is_left_ends_with_its_time_to_live(under_way):
    assert wait(under_way(settled=1, took=60 * MINUTE)) == pytest.approx(3600, abs=5)


@pytest.mark.parametrize(
    "members",
    [
        {"took": timedelta(seconds=0.5)},
        {"settled": 0},
        {"state": "planning"},
        {"held_at": timezone.now()},
        {"called_off_at": timezone.now()},
    ],
)
def test_where_nothing_tells_it_is_unknown(under_way, members):
    assert wait(under_way(**members)) is None


@pytest.mark.parametrize("state", ["due", "finished", "cancelled", "skipped"])
def test_what_is_not_under_way_has_no_end_ahead(under_way, state):
    assert expected_finishes([under_way(state=state)], now=timezone.now()) == {}


def test_the_time_it_was_paused_does_not_count(app, under_way):
    occurrence = under_way(took=11 * MINUTE)
    pause_sending(app=app, notification_id=occurrence.notification_id)
    Occurrence.objects.update(held_at=timezone.now() - 10 * MINUTE)
    resume_sending(app=app, notification_id=occurrence.notification_id)
    occurrence.refresh_from_db()

    assert wait(occurrence) == pytest.approx(60, abs=5)


def test_a_notification_is_done_with_the_last_of_its_firings(under_way):
    first = under_way(settled=8)
    notification = first.notification
    slow = under_way(settled=2)
    Occurrence.objects.filter(pk=slow.pk).update(notification=notification, zone="Asia/Tokyo")

    def shown():
        now = timezone.now()
        [one] = progress([notification], now=now)
        each = [
            f.expected_at and (f.expected_at - now).total_seconds()
            for f in firings(notification, now=now)
        ]
        return one.expected_at and (one.expected_at - now).total_seconds(), sorted(
            each, key=lambda seconds: seconds or 0
        )

    assert shown() == (pytest.approx(240, abs=5), pytest.approx([15, 240], abs=5))

    Occurrence.objects.filter(pk=slow.pk).update(held_at=timezone.now())
    assert shown()[0] is None


def test_operators_read_it_in_the_report_and_in_the_admin(client, under_way, django_user_model):
    known = under_way(settled=5)
    unknown = under_way(settled=0)

    def report(occurrence, *said):
        out = io.StringIO()
        call_command("report", str(occurrence.notification_id), *said, stdout=out)
        return out.getvalue()

    told = json.loads(report(known, "--json"))
    assert told["expected_finish_at"].startswith(str(timezone.now().year))
    assert "not known yet" in report(unknown)
    client.force_login(django_user_model.objects.create_superuser("root", "", "root"))
    page = client.get("/admin/delivery/occurrence/").content.decode()
    assert page.count("not known yet") == 1
    assert page.count("field-expected_finish") == 2
