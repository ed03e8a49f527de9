"""Rows of every kind, as an operator finds them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User as Operator
from django.utils import timezone

from crm.commands.apps import create_app
from crm.models import App, Channel, DeviceToken, Event, Install, Membership, Segment, User
from crm.models.membership import Role
from delivery.models import (
    Batch,
    Breaker,
    InboxItem,
    Notification,
    Occurrence,
    Open,
    ProviderCredential,
)
from templates_app.models import Template

RULE = {
    "version": 1,
    "where": {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"},
}


def fill(app: App, numbers: range) -> None:
    """Give an app one row of each kind for each number."""
    now = timezone.now()
    for n in numbers:
        user = User.objects.create(app=app, uid=f"user-{n}", email=f"{n}@example.com")
        install = Install.objects.create(app=app, uid=f"install-{n}", user=user, os="ios")
        DeviceToken.objects.create(
            app=app,
            install=install,
            transport="apns",
            environment="production",
            topic="com.example.app",
            value=f"token-{n}-" + 60 * "f",
        )
        Channel.objects.create(app=app, uuid=f"channel-{n}", name=f"Channel {n}")
        Event.objects.create(
            app=app,
            uuid=f"00000000-0000-4000-8000-{app.pk:05}{n:07}",
            install_uid=install.uid,
            type="k.test",
            happened_at=now,
        )
        Segment.objects.create(app=app, name=f"Segment {n}", rule=RULE)
        Template.objects.create(app=app, uid=f"template-{n}", name=f"Template {n}", content={})
        notification = Notification.objects.create(
            app=app,
            source="kumulos",
            message={"title": f"Hello {n}", "body": "World"},
            audience={"everyone": True},
            schedule={},
            lane="bulk",
            time_to_live=timedelta(hours=1),
        )
        occurrence = Occurrence.objects.create(
            notification=notification,
            due_at=now,
            expires_at=now,
            ledger_day=now.date(),
            state="finished",
        )
        credential = ProviderCredential(
            app=app, provider="apns", kind="key", topic=f"com.example.{n}", facts={"topic": "x"}
        )
        credential.secret = "a secret"
        credential.save()
        breaker = Breaker.objects.create(
            credential=credential, environment="production", topic="x", reason="InvalidToken"
        )
        Batch.objects.create(
            occurrence=occurrence,
            app=app,
            credential=credential,
            transport="apns",
            environment="production",
            topic="x",
            lane="bulk",
            token_ids=[1],
            breaker=breaker,
            state="done",
        )
        InboxItem.objects.create(notification=notification, user=user)
        Open.objects.create(
            notification=notification, install=install, user_uid=user.uid, opened_at=now
        )


def enrol(app: App, name: str) -> Operator:
    """Give an operator who may look at an app."""
    operator = Operator.objects.create_user(name, is_staff=True)
    Membership.objects.create(operator=operator, app=app, role=Role.VIEWER)
    return operator


@pytest.fixture
def other_app(db) -> App:
    return create_app(name="Other").app


@pytest.fixture
def signed_in(client) -> Callable[..., object]:
    """Give a client signed in with a role in some apps; without any, as a superuser."""

    def sign_in(*apps: App, role: Role = Role.ADMIN):
        people = get_user_model().objects
        if not apps:
            client.force_login(people.create_superuser("root"))
            return client
        operator = people.create_user(f"op-{people.count()}", is_staff=True)
        for app in apps:
            Membership.objects.create(operator=operator, app=app, role=role)
        client.force_login(operator)
        return client

    return sign_in
