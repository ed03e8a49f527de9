"""Every route of the OpenAPI document, with what its schema allows and much that it does not.

No answer may be a 5xx, have a status the document does not name, or a body it does not describe.
`FUZZ_EXAMPLES` sets how many calls each route gets; `make fuzz` makes thousands.
"""

import os
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crm.commands.accounts import SignUp, sign_up
from crm.commands.apps import NewApp, create_app
from crm.commands.device_tokens import Address
from crm.commands.sessions import open_session
from crm.commands.user_devices import UserDevice, subscribe_device
from crm.models import Channel, Install, Segment, User
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.commands.webhooks import WriteWebhook, create_webhook
from delivery.message import InAppMessage, Message, RawMessage
from delivery.models import Notification
from delivery.schedule import Schedule
from templates_app.models import Template

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_wsgi("/docs/openapi.json", get_wsgi_application())

pytestmark = [
    pytest.mark.django_db,
]


@pytest.fixture(autouse=True)
def one_connection():
    """Keep the test's own connection, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


PUSH = Message(title="Hello", body="World")
IN_APP = InAppMessage(template_uid="welcome", content={})


ADDRESS = Address(transport="apns", environment="production", topic="", value="a")
RAW = RawMessage(transport="apns", payload={"aps": {"alert": "Hello"}})
WORDS = {
    "event_type": "fixed_date",
    "date": 4070908800,
    "period": None,
    "end_date": None,
    "environment": "production",
    "tag_query": None,
    "channel": "apns",
    "message": "payload=e30=",
}


def _sent(app, message, source=Notification.Source.KUMULOS, **said):
    return send_notification(
        SendNotification(
            app=app,
            source=source,
            message=message,
            audience=Audience(everyone=True),
            schedule=Schedule(at=datetime(2099, 1, 1, tzinfo=UTC)),
            **said,
        )
    )


@dataclass
class Known:
    """An app with one of everything: what opens each kind of route, and ids by path."""

    keys: NewApp
    token: str
    ids: dict[str, object]

    def headers(self, operation, which=0):
        """Give what opens a route, by the first or the last of the ways its schema names."""
        schemes = [name for need in operation.definition.raw.get("security", []) for name in need]
        way = schemes[which] if schemes else ""
        if way == "sessionToken":
            return {"CB-Token": self.token}
        if way == "applicationKey":
            return {"CB-AuthKey": self.keys.auth_key}
        secret = self.keys.secret_key if "deviceKey" in schemes else self.keys.server_key
        pair = f"{self.keys.api_key}:{secret}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}


@pytest.fixture
def known(settings):
    settings.ACCEPT_UNREACHABLE = True
    new = create_app(name="Fuzz")
    user = User.objects.create(app=new.app, uid="user 1/2")
    install = Install.objects.create(app=new.app, uid="install-1", user=user)
    channel = Channel.objects.create(app=new.app, uuid="news", name="News")
    push, in_app = (_sent(new.app, message) for message in (PUSH, IN_APP))
    rule = {"version": 1, "where": {"field": "tag", "op": "equals", "value": "vip"}}
    segment = Segment.objects.create(app=new.app, name="VIP", rule=rule)
    template = Template.objects.create(app=new.app, uid="welcome", name="W", content={})
    john = sign_up(SignUp(app=new.app, login="john", password="secret", external_id="john"))
    [token] = subscribe_device(UserDevice(john, "u", "ios"), [ADDRESS])
    event = _sent(new.app, RAW, Notification.Source.CONNECTYCUBE, author=john, filters=WORDS)
    told = WriteWebhook(url="https://example.com/told", topics=["push.outcome"])
    webhook = create_webhook(app=new.app, ask=told).webhook
    ids = {
        "/channels/{": channel.pk,
        "/segments/{": segment.pk,
        "/v1/users/{": user.uid,
        "/v2/users/{": user.uid,
        "/app-installs/{": install.uid,
        "/templates/in-app/{": template.uid,
        "/messages/in-app/{": in_app.pk,
        "/notifications/{": push.pk,
        "/users/{user_id": john.pk,
        "/users/external/{": john.uid,
        "/subscriptions/{": token.pk,
        "/events/{": event.pk,
        "/webhooks/{": str(webhook.pk),
    }
    return Known(new, open_session(app=new.app, user=john).token, ids)


def tried():
    return settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 100,  # the short run is the same for everybody
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@schema.parametrize()
@tried()
def test_no_route_breaks_over_what_is_made_up(case, known):
    response = case.call(headers=known.headers(case.operation))
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@tried()
def test_no_route_breaks_over_what_is_there(case, known):
    for name in case.path_parameters or {}:
        words = [word for word in known.ids if word in case.operation.path]
        case.path_parameters[name] = known.ids[words[0]]
    response = case.call(headers=known.headers(case.operation, which=-1))
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@tried()
def test_no_route_opens_without_a_key(case, db):
    response = case.call(headers={"Authorization": "Basic bm86bm8=", "CB-Token": "none"})
    case.validate_response(response, checks=CHECKS)
    open_to_all = not case.operation.definition.raw.get("security")  # a session begins without
    if case.method != "OPTIONS" and not open_to_all:  # a browser asks that without a key
        assert response.status_code == 401
