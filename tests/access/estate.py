"""Everything an app can have, one of each, with a word in it that no other app's rows hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.utils import timezone

from crm.commands.apps import NewApp, create_app
from crm.models import (
    App,
    AppKey,
    AuditEntry,
    Channel,
    ChannelSubscription,
    DeviceToken,
    Event,
    Install,
    Membership,
    Segment,
    User,
)
from crm.models.membership import Role
from delivery.audience import Audience
from delivery.message import Message
from delivery.models import (
    Batch,
    Breaker,
    InboxItem,
    Notification,
    Occurrence,
    ProviderCredential,
    Webhook,
    WebhookDelivery,
)
from templates_app.models import Template


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is done to the database meanwhile."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


RULE = {"version": 1, "where": {"field": "tag", "op": "equals", "value": "vip"}}


def furnish(word: str) -> tuple[NewApp, dict[type[models.Model], Any]]:
    """Make an app called `word` and give its keys and one row of each model."""
    new = create_app(name=word)
    app = new.app
    user = User.objects.create(app=app, uid=f"{word}-user", login=word, attributes={"is": word})
    install = Install.objects.create(app=app, uid=f"{word}-install", user=user, os="iOS")
    token = DeviceToken.objects.create(
        app=app,
        install=install,
        transport="apns",
        environment="production",
        topic=f"com.{word}",
        value=f"{word}-token",
        value_digest=word.encode().ljust(32, b"-"),
    )
    channel = Channel.objects.create(app=app, uuid=f"{word}-channel", name=f"{word} news")
    notification = Notification.objects.create(
        app=app,
        source="kumulos",
        name=f"{word} sale",
        message=Message(title=word, body=word).as_json(),
        audience=Audience(everyone=True).as_json(),
        schedule={},
        lane="bulk",
        time_to_live=timedelta(hours=1),
    )
    occurrence = Occurrence.objects.create(
        notification=notification,
        due_at=timezone.now() + timedelta(days=1),
        expires_at=timezone.now() + timedelta(days=2),
        ledger_day=timezone.now().date(),
    )
    credential = ProviderCredential(
        app=app, provider="apns", kind="key", topic=f"com.{word}", facts={"team_id": word}
    )
    credential.secret = f"{word} secret"
    credential.save()
    webhook = Webhook.objects.create(app=app, url=f"https://{word}.example/hook", topics=[])
    rows = [
        app,
        app.keys.first(),
        user,
        install,
        token,
        channel,
        ChannelSubscription.objects.create(channel=channel, user=user),
        Segment.objects.create(app=app, name=f"{word} gold", rule=RULE),
        Event.objects.create(
            app=app,
            uuid="00000000-0000-4000-8000-000000000001",
            type=f"{word}.opened",
            install_uid=install.uid,
            happened_at=timezone.now(),
        ),
        Template.objects.create(app=app, uid=f"{word}-template", name=word, content={}),
        notification,
        occurrence,
        Batch.objects.create(
            app=app,
            occurrence=occurrence,
            credential=credential,
            transport="apns",
            environment="production",
            topic=f"com.{word}",
            token_ids=[token.pk],
            lane="bulk",
        ),
        InboxItem.objects.create(user=user, notification=notification, sent_at=timezone.now()),
        credential,
        Breaker.objects.create(
            credential=credential,
            environment="production",
            topic=f"com.{word}",
            state="open",
            reason=f"{word} is doubted",
        ),
        webhook,
        WebhookDelivery.objects.create(
            webhook=webhook,
            message_id=f"msg_{word}",
            state="given_up",
            lane=0,
            events=1,
            after_seq=0,
            after_part=0,
            until_seq=1,
            until_part=0,
        ),
    ]
    return new, {type(row): row for row in rows}


PATHS: dict[type[models.Model], str] = {
    App: "pk",
    AppKey: "app",
    ChannelSubscription: "channel__app",
    Occurrence: "notification__app",
    Breaker: "credential__app",
    InboxItem: "user__app",
    WebhookDelivery: "webhook__app",
}
"""How a row leads to its app, where it is not by a column called `app`."""


def of_app(app_id: int) -> Iterator[tuple[type[models.Model], models.QuerySet[Any]]]:
    """Give every model whose rows belong to an app, with the rows of this one."""
    for model in apps.get_models():
        if model is AuditEntry or not model._meta.managed:
            continue
        path = PATHS.get(model) or ("app" if _has_app(model) else "")
        if path:
            yield model, model._default_manager.filter(**{path: app_id})


def _has_app(model: type[models.Model]) -> bool:
    return any(field.name == "app" for field in model._meta.concrete_fields)


def snapshot(app: App) -> dict[str, list[str]]:
    """Give all rows of an app as they are, asked for at once: it is asked for after every request.

    Tables without rows are left out.
    """
    sql, params = _snapshot_sql(app.pk)
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        for label, row in sorted(cursor.fetchall()):
            found.setdefault(label, []).append(row)
    return found


@cache
def _snapshot_sql(app_id: int) -> tuple[str, list[Any]]:
    parts, params = [], []
    for model, rows in of_app(app_id):
        sql, values = rows.order_by().query.sql_with_params()
        parts.append(f"SELECT %s::text AS label, to_jsonb(r)::text FROM ({sql}) r")
        params += [model._meta.label, *values]
    return " UNION ALL ".join(parts), params


ROLES = (Role.VIEWER, Role.SENDER, Role.ADMIN)


def enrol(operators: Any, app: App) -> dict[str, Any]:
    """Give operators by what they are to an app: nobody, in each role, and a superuser."""
    people = {"outsider": operators.create_user("outsider", is_staff=True)}
    people["retired"] = operators.create_user("retired", is_staff=True, is_active=False)
    people["no operator"] = operators.create_user("customer")
    for role in ROLES:
        name = role.name.lower()
        people[name] = operators.create_user(name, is_staff=True)
        Membership.objects.create(operator=people[name], app=app, role=role)
    for name in ("retired", "no operator"):
        Membership.objects.create(operator=people[name], app=app, role=Role.ADMIN)
    people["superuser"] = operators.create_superuser("root", password="correct horse battery")
    return people
