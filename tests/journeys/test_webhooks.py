"""A backend is told by the whole gateway: HTTP in, real workers, one killed half-way."""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict

import pytest

from delivery.outbox import BELIEVED_FOR
from devstack.place import ROOT
from tests.delivery.webhooks.receiver import Receiver
from tests.journeys.stack import Stack, wait_until

pytestmark = pytest.mark.long

PHONES = 1_500

MAKE = """
import json, sys
import django
django.setup()
from crm.models import App
from delivery.commands.webhooks import WriteWebhook, create_webhook
app, url = json.load(sys.stdin)
ask = WriteWebhook(url=url, topics=["push.outcome", "notification.finished"], most_events=100)
print(create_webhook(app=App.objects.get(pk=app), ask=ask).secret)
"""


@pytest.fixture
def stack(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_WEBHOOK_ALLOW", "127.0.0.0/8")
    stack = Stack(tmp_path)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


def _make(stack, url):
    done = subprocess.run(
        [sys.executable, "-c", MAKE],
        input=json.dumps([stack.app["id"], url]),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, **stack.environ, "DJANGO_SETTINGS_MODULE": "gateway.settings"},
    )
    return done.stdout.strip()


def test_every_outcome_is_told_though_a_worker_is_killed(stack, receiver):
    stack.tokens(PHONES)
    secret = _make(stack, receiver.url)
    time.sleep(BELIEVED_FOR + 1)  # whoever looked before it was made looks again

    last = stack.broadcast()
    wait_until("under way", lambda: len(receiver.calls) >= 3)
    stack.kill("worker")
    stack.start_worker()
    stack.finished(last)

    def told():
        events = [e for e in receiver.events if e["data"]["notificationId"] == last]
        outcomes = {e["id"] for e in events if e["type"] == "push.outcome"}
        finished = [e for e in events if e["type"] == "notification.finished"]
        return (len(outcomes) == PHONES and finished) or None

    [*_, finished] = wait_until("told", told, seconds=90)
    assert finished["data"]["targeted"] == PHONES
    assert all(call.is_signed_with(secret) for call in receiver.calls)
    order = defaultdict(list)
    for event in receiver.events:
        if event["type"] == "push.outcome" and event["id"] not in order[event["data"]["installId"]]:
            order[event["data"]["installId"]].append(event["id"])
    assert all(ids == sorted(ids, key=_place) for ids in order.values())


def _place(id_):
    seq, _, part = id_.partition(".")
    return int(seq), int(part or 0)
