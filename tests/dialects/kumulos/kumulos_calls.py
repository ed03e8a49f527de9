"""How the tests of this dialect ask, and what they expect of every yes and no."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from delivery.models import Notification, Occurrence


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Caller:
    """Someone with one pair of keys."""

    client: Client
    authorization: str

    def ask(self, method: str, path: str, body: Any = None, **options: Any):
        """Give the answer to a request; bytes are sent as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        options = {"content_type": "application/json", **options}
        headers = {"authorization": self.authorization}
        return self.client.generic(method, path, data=data, headers=headers, **options)

    def send(self, **said: Any):
        """Give the answer to a send; only what matters to a test needs to be said."""
        body = {"title": "Hello World", "message": "from Kumulos Push", **said}
        return self.ask("POST", "/notifications", body)

    def tell(self, *events: Any, install: str = "install-1"):
        """Give the answer to a post of events."""
        return self.ask("POST", f"/v1/app-installs/{install}/events", list(events))


def sent(answer) -> Notification:
    assert answer.status_code == 201, answer.content
    return Notification.objects.get(pk=answer.json()["id"])


def refused(answer, *keys: str) -> dict:
    """Check the shape of a refusal and that exactly these keys are named."""
    assert answer.status_code == 422, (answer.status_code, answer.content)
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error", *keys}, body
    assert isinstance(body["error"], str)
    assert body["error"]
    for key in keys:
        assert body[key], key
        assert all(isinstance(reason, str) for reason in body[key])
    assert not Notification.objects.exists()
    assert not Occurrence.objects.exists()
    return body
