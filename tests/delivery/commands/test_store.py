from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from delivery.commands.store import store
from delivery.models import Firing, Notification, Occurrence

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def unsaved(app):
    def build(**said):
        return Notification(
            **{
                "app": app,
                "source": Notification.Source.KUMULOS,
                "name": "n",
                "message": {"title": "é\u2028", "n": 1 << 70, "deep": {"a": [None, 0.5]}},
                "audience": {"user_uids": ["a", "b"]},
                "schedule": {},
                "filters": {"userIds": ["a", "b"]},
                "user_meta": {"a": {"x": 1}},
                "lane": "bulk",
                "time_to_live": timedelta(days=40, microseconds=5),
                "zones_open_until": AT,
                "created_at": AT,
                "updated_at": AT + timedelta(microseconds=1),
            }
            | said
        )

    return build


def same(row, model):
    stored = model.objects.get(pk=row.pk)
    for field in model._meta.concrete_fields:
        if field.attname in row.__dict__:
            yield field.attname, getattr(row, field.attname), getattr(stored, field.attname)


def test_everything_is_stored_as_it_was_given(unsaved):
    notification = unsaved()
    firing = Firing.of(notification, at=AT, zone="Asia/Tokyo", late=HOUR)

    due = store(notification, [firing])

    for name, given, kept in same(notification, Notification):
        assert given == kept, name
    stored = Occurrence.objects.get(notification=notification)
    assert (due, stored.state) == ({stored.pk: AT}, Occurrence.State.DUE)
    for name, value in firing._asdict().items():
        assert getattr(stored, name) == value, name
    notification.name = "later"
    notification.save()  # it is known to be stored
    assert Notification.objects.get().name == "later"


def test_every_firing_gets_its_own_id(unsaved):
    notification = unsaved()
    zones = {"": AT, "Asia/Tokyo": AT - 9 * HOUR, "America/Lima": AT + 5 * HOUR}
    firings = [Firing.of(notification, at=at, zone=z, late=None) for z, at in zones.items()]

    due = store(notification, firings)

    stored = {firing.pk: (firing.zone, firing.due_at) for firing in Occurrence.objects.all()}
    assert sorted(stored.values()) == sorted(zones.items())
    assert due == {pk: at for pk, (_, at) in stored.items()}


def test_one_without_firings_is_stored_all_the_same(unsaved):
    notification = unsaved()
    store(notification, [])

    assert Notification.objects.get() == notification
    assert not Occurrence.objects.exists()


def test_all_is_stored_or_nothing(unsaved):
    notification = unsaved()
    twins = [Firing.of(notification, at=AT, late=None) for _ in range(2)]

    with pytest.raises(IntegrityError), transaction.atomic():
        store(notification, twins)

    assert not Notification.objects.exists()
