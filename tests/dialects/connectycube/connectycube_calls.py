"""How the tests of this dialect ask, and what they expect of every yes and no."""

import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Any

from django.test import Client

from crm.commands.apps import NewApp
from crm.commands.sessions import open_session
from crm.models import User

EXPIRY = "CB-Token-ExpirationDate"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Cube:
    """Someone with an application's keys, and perhaps a token."""

    client: Client
    keys: NewApp
    token: str = ""
    user: User | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **options: Any):
        """Give the answer to a request; text is sent as a form, anything else as JSON."""
        headers = dict(self.headers)
        if self.token:
            headers["CB-Token"] = self.token
        headers |= options.pop("headers", {})
        kind = FORM if isinstance(body, str) else "application/json"
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else b""
        if body is not None and not isinstance(body, str | bytes):
            data = json.dumps(body).encode()
        options = {"content_type": kind, **options}
        return self.client.generic(method, path, data=data, headers=headers, **options)

    def of(self, user: User | None) -> "Cube":
        """Give the same caller with a session of their own, or of the application."""
        opened = open_session(app=self.keys.app, user=user)
        return replace(self, token=opened.token, user=user)

    def with_key(self) -> "Cube":
        """Give the same caller with the application's own key."""
        return replace(self, headers={"CB-AuthKey": self.keys.auth_key})

    @property
    def opening(self) -> dict[str, Any]:
        """What every request for a session says."""
        return {"application_id": self.keys.app.pk, "auth_key": self.keys.auth_key}

    # -- what callers do

    def open(self, **said: Any):
        """Give the answer to a request for a session."""
        return self.ask("POST", "/session", {**self.opening, **said})

    def subscribe(self, token: str = "", **said: Any):
        """Give the answer to a subscription of an iPhone; only what matters needs to be said."""
        push = {
            "environment": said.pop("environment", "development"),
            "client_identification_sequence": token or APNS_TOKEN,
            **said.pop("push", {}),
        }
        device = {"platform": said.pop("platform", "ios"), "udid": said.pop("udid", "phone-1")}
        body = {"notification_channel": "apns", "push_token": push, "device": device, **said}
        return self.ask("POST", "/subscriptions", body)

    def send(self, **said: Any):
        """Give the answer to an event; only what matters to a test needs to be said."""
        body = {
            "notification_type": "push",
            "environment": "development",
            "message": universal(message="Hello"),
            "user": {"ids": str(self.user.pk)} if self.user else {},
            **said,
        }
        return self.ask("POST", "/events", {"event": body})


APNS_TOKEN = "98559c1f3028b3fa0ec811d058cef16be27fe2fc507ca243b3d4fab006bfc9b8"
FCM_TOKEN = "dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"


def universal(**params: Any) -> str:
    """Give parameters for every platform as an event carries them."""
    return b64encode(json.dumps(params).encode()).decode()


def errors(answer, status: int) -> Any:
    """Check a refusal's shape and give what stands under `errors`."""
    assert answer.status_code == status, (answer.status_code, answer.content)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.json()["errors"]
