"""Events over HTTP: an addition of this gateway."""

import pytest
from django.utils import timezone
from kumulos_calls import refused

from crm.commands.apps import create_app
from delivery.commands.webhooks import WriteWebhook, create_webhook
from delivery.models import Webhook, WebhookEvent
from delivery.outbox import listeners
from delivery.webhooks.stream import number_events


@pytest.fixture
def webhook(app):
    ask = WriteWebhook(url="https://hook.example/", topics=["push.opened", "push.outcome"])
    made = create_webhook(app=app, ask=ask)
    yield made.webhook
    listeners.forget()


@pytest.fixture
def events(app, webhook):
    for n in range(10):
        WebhookEvent.objects.create(
            app=app, lane=n % 4, topic="push.opened", body={"n": n}, at=timezone.now()
        )
    number_events(now=timezone.now())


def test_webhooks_are_listed_without_their_secrets(backend, webhook):
    body = backend.ask("GET", "/v1/webhooks").json()
    assert body["webhooks"] == [
        {
            "id": webhook.pk,
            "url": "https://hook.example/",
            "types": ["push.outcome", "push.opened"],
            "active": True,
            "stoppedBecause": None,
            "lastTakenAt": None,
            "createdAt": body["webhooks"][0]["createdAt"],
        }
    ]


def test_events_are_read_page_by_page_in_their_order(backend, events):
    first = backend.ask("GET", "/v1/webhooks/events?limit=4").json()
    assert [event["data"]["n"] for event in first["events"]] == [0, 1, 2, 3]
    assert first["next"] == first["events"][-1]["id"] == "4"
    rest = backend.ask("GET", f"/v1/webhooks/events?after={first['next']}").json()
    assert [event["data"]["n"] for event in rest["events"]] == [4, 5, 6, 7, 8, 9]
    end = backend.ask("GET", f"/v1/webhooks/events?after={rest['next']}").json()
    assert end == {"events": [], "next": "10", "more": False}
    none = backend.ask("GET", "/v1/webhooks/events?types=token.retired").json()
    assert none["events"] == []


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=00001000000", "limit"),
        ("types=push", "types"),
    ],
)
def test_a_bad_query_is_refused_by_its_key(backend, query, key):
    refused(backend.ask("GET", f"/v1/webhooks/events?{query}"), key)


def test_a_replay_moves_the_webhook_back(backend, webhook, events):
    webhook.readers.update(seq=10)
    answer = backend.ask("POST", f"/v1/webhooks/{webhook.pk}/replay", {"after": "3"})
    assert answer.status_code == 202
    assert set(webhook.readers.values_list("seq", flat=True)) == {3}


def test_a_bad_replay_is_refused(backend, webhook):
    path = f"/v1/webhooks/{webhook.pk}/replay"
    refused(backend.ask("POST", path, {}), "after")
    refused(backend.ask("POST", path, {"after": "soon"}), "after")
    assert backend.ask("POST", "/v1/webhooks/x/replay", {"after": "0"}).status_code == 404


def test_another_apps_webhooks_and_events_are_not_there(backend, events, webhook):
    other = create_app(name="Other").app
    Webhook.objects.update(app=other)
    WebhookEvent.objects.update(app=other)
    assert backend.ask("GET", "/v1/webhooks").json() == {"webhooks": []}
    assert backend.ask("GET", "/v1/webhooks/events").json()["events"] == []
    path = f"/v1/webhooks/{webhook.pk}/replay"
    assert backend.ask("POST", path, {"after": "0"}).status_code == 404


def test_a_device_key_opens_none_of_it(device, webhook):
    for path in ("/v1/webhooks", "/v1/webhooks/events"):
        assert device.ask("GET", path).status_code == 401
