"""Numbers come after the commit: nothing ever appears behind a reader."""

import threading

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

from delivery.commands.webhooks import WriteWebhook, create_webhook
from delivery.models import WebhookEvent, WebhookReader
from delivery.models.webhook import Topic
from delivery.outbox import listeners
from delivery.webhooks import readers
from delivery.webhooks.stream import number_events
from delivery.webhooks.teller import Teller
from tests.delivery.webhooks.conftest import tell

pytestmark = pytest.mark.django_db(transaction=True)

EVENT = """
INSERT INTO delivery_webhookevent (app_id, lane, topic, install_id, body, at)
VALUES (%s, 0, 'push.opened', %s, '{}', now())
"""


@pytest.fixture
def other():
    """Give another session of the same database."""
    params = connection.get_connection_params()
    wanted = {k: v for k, v in params.items() if k in {"dbname", "user", "host", "port"}}
    with psycopg.connect(**wanted) as session:
        yield session


def test_what_commits_late_is_told_late_and_not_lost(app, hook, receiver, other):
    hook(["push.opened"])
    other.execute(EVENT, [app.pk, 4])  # drew its id, and is not committed
    with connection.cursor() as cursor:
        cursor.execute(EVENT, [app.pk, 8])
    tell()
    assert len(receiver.events) == 1

    other.commit()
    tell()

    assert len(receiver.events) == 2
    late, early = WebhookEvent.objects.order_by("pk")
    assert (early.seq, late.seq) == (1, 2)


def test_two_who_give_numbers_give_each_one_number(app, hook, other):
    hook(["push.opened"])
    with connection.cursor() as cursor:
        cursor.executemany(EVENT, [[app.pk, n] for n in range(50)])
    began = threading.Barrier(4)

    def number():
        began.wait()
        number_events(now=timezone.now())
        connections.close_all()

    threads = [threading.Thread(target=number) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seqs = list(WebhookEvent.objects.order_by("pk").values_list("seq", flat=True))
    assert seqs == list(range(1, 51))


def test_a_reader_that_is_about_to_rest_is_woken_by_what_came_meanwhile(app, hook, receiver, other):
    made = hook(["push.opened"])
    WebhookReader.objects.filter(lane=0).update(next_attempt_at=timezone.now())
    reader = readers.take_reader(now=timezone.now())
    other.execute("SELECT FROM delivery_webhookreader WHERE id = %s FOR UPDATE", [reader.pk])

    rested = threading.Event()

    def rest():
        readers.rest(reader)
        rested.set()
        connections.close_all()

    resting = threading.Thread(target=rest)
    resting.start()
    with connection.cursor() as cursor:
        cursor.execute(EVENT, [app.pk, 4])
    numbering = threading.Thread(
        target=lambda: (number_events(now=timezone.now()), connections.close_all())
    )
    numbering.start()
    assert not rested.wait(0.3)
    other.commit()
    resting.join(5)
    numbering.join(5)

    assert made.webhook.readers.get(lane=0).next_attempt_at is not None
    tell()
    assert len(receiver.events) == 1


def test_threads_tell_and_end(app, hook, receiver):
    hook(["push.opened"])
    with connection.cursor() as cursor:
        cursor.executemany(EVENT, [[app.pk, n] for n in range(4, 400, 4)])
    teller = Teller()
    teller.wake()
    assert teller.wait(20)
    while teller._running:
        assert teller.wait(20)

    assert len(receiver.events) == 99
    assert not readers.work_waits(now=timezone.now())


def test_many_threads_tell_each_event_once_and_in_order(app, receiver, hook):
    for _ in range(3):
        hook(["push.opened"], most_events=7)
    with connection.cursor() as cursor:
        sql = EVENT.replace("VALUES (%s, 0", "VALUES (%s, %s")
        cursor.executemany(sql, [[app.pk, n % 4, n] for n in range(400)])
    tellers = [Teller(threads=4) for _ in range(2)]
    for teller in tellers:
        teller.wake()
    while any(teller._running for teller in tellers):
        assert all(teller.wait(30) for teller in tellers)

    assert len(receiver.events) == 1200
    told = [event["id"] for event in receiver.events]
    assert {told.count(id_) for id_ in told} == {3}


def test_a_webhook_made_anew_is_noticed(app):
    listeners.forget()
    assert not listeners.want(app.pk, Topic.OPENED)
    create_webhook(app=app, ask=WriteWebhook(url="https://a.example/", topics=["push.opened"]))
    assert listeners.want(app.pk, Topic.OPENED)
