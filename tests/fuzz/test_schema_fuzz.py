"""Every route of the OpenAPI document, with what its schema allows and much that it does not.

No answer may be a 5xx, have a status the document does not name, or a body it does not describe.
`FUZZ_EXAMPLES` sets how many calls each route gets; `make fuzz` makes thousands.
"""

import os
from base64 import b64encode
from datetime import UTC, datetime

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crm.commands.apps import create_app
from crm.models import Channel, Install, Segment, User
from delivery.audience import Audience
from delivery.commands.send import SendNotification, send_notification
from delivery.message import InAppMessage, Message
from delivery.models import Notification
from delivery.schedule import Schedule
from gateway.wsgi import application
from templates_app.models import Template

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_wsgi("/docs/openapi.json", application)

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


def _sent(app, message):
    return send_notification(
        SendNotification(
            app=app,
            source=Notification.Source.KUMULOS,
            message=message,
            audience=Audience(everyone=True),
            schedule=Schedule(at=datetime(2099, 1, 1, tzinfo=UTC)),
        )
    )


@pytest.fixture
def known():
    """Give an app with one of everything, and the keys for each kind of route."""
    new = create_app(name="Fuzz")
    user = User.objects.create(app=new.app, uid="user 1/2")
    install = Install.objects.create(app=new.app, uid="install-1", user=user)
    channel = Channel.objects.create(app=new.app, uuid="news", name="News")
    push, in_app = (_sent(new.app, message) for message in (PUSH, IN_APP))
    rule = {"version": 1, "where": {"field": "tag", "op": "equals", "value": "vip"}}
    segment = Segment.objects.create(app=new.app, name="VIP", rule=rule)
    template = Template.objects.create(app=new.app, uid="welcome", name="W", content={})
    ids = {
        "/channels/{": channel.pk,
        "/segments/{": segment.pk,
        "/users/{": user.uid,
        "/app-installs/{": install.uid,
        "/templates/in-app/{": template.uid,
        "/messages/in-app/{": in_app.pk,
        "/notifications/{": push.pk,
    }
    return new, ids


def authorization(new, operation):
    schemes = [name for need in operation.definition.raw.get("security", []) for name in need]
    secret = new.secret_key if "deviceKey" in schemes else new.server_key
    return {"Authorization": f"Basic {b64encode(f'{new.api_key}:{secret}'.encode()).decode()}"}


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
    new, _ = known
    response = case.call(headers=authorization(new, case.operation))
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@tried()
def test_no_route_breaks_over_what_is_there(case, known):
    new, ids = known
    for name in case.path_parameters or {}:
        [case.path_parameters[name]] = (ids[word] for word in ids if word in case.operation.path)
    response = case.call(headers=authorization(new, case.operation))
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@tried()
def test_no_route_opens_without_a_key(case, db):
    response = case.call(headers={"Authorization": "Basic bm86bm8="})
    case.validate_response(response, checks=CHECKS)
    if case.method != "OPTIONS":  # a browser asks that without a key
        assert response.status_code == 401
