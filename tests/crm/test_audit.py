"""No door changes a row unseen, and nobody changes what was seen."""

import json
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth.models import User as Operator
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from crm.audit import Actor, acting
from crm.models import App, AppKey, AuditEntry, Channel, Membership, Segment, User
from crm.models.membership import Role
from delivery.models import Breaker, Notification, ProviderCredential
from templates_app.models import Template

OLGA = Actor(via="admin", name="olga", operator_id=7, request_id="r-1", address="192.0.2.7")


def last(kind):
    return AuditEntry.objects.filter(kind=kind).latest("id")


def told(entry):
    return (entry.via, entry.actor, entry.action, entry.object_name, entry.app_id)


AUDITED = {
    "crm_app",
    "crm_appkey",
    "crm_channel",
    "crm_segment",
    "crm_membership",
    "auth_user",
    "mfa_authenticator",
    "templates_app_template",
    "delivery_notification",
    "delivery_occurrence",
    "delivery_providercredential",
    "delivery_breaker",
    "delivery_webhook",
    "delivery_webhooksecret",
    "crm_user",
    "crm_install",
    "crm_devicetoken",
}

NOT_AUDITED = {
    "account_emailaddress": "operators have no address here",
    "account_emailconfirmation": "the same",
    "auth_group": "roles are memberships",
    "auth_permission": "the same",
    "django_content_type": "Django's own",
    "django_admin_log": "never written: the audit log takes its place",
    "django_session": "signing in and out is written down instead",
    "usersessions_usersession": "the same",
    "crm_auditentry": "itself",
    "crm_channelsubscription": "people's own, and as many as there are people",
    "crm_event": "devices write it",
    "crm_importrun": "the progress of a file",
    "crm_session": "people's own",
    "crm_usednonce": "the same",
    "crm_tokencount": "a sum the beat makes",
    "delivery_tally": "the same, of what became of pushes",
    "delivery_hourtally": "the same, by the hour",
    "delivery_ticket": "that a form was sent; the notification it became is audited",
    "delivery_batch": "the engine's",
    "delivery_captaken": "the engine's",
    "delivery_delivery": "the engine's; append-only itself",
    "delivery_inboxitem": "the engine's",
    "crm_keptanswer": "an API's own memory, for a day",
    "delivery_webhookdelivery": "the engine's",
    "delivery_webhookevent": "the engine's",
    "delivery_webhookreader": "the engine's",
    "delivery_webhookstream": "the engine's",
    "delivery_open": "devices write it",
}


def test_every_table_is_audited_or_there_is_a_reason_why_not(db):
    """A new model has a migration that uses `crm.audited`, or a line above."""
    tables = {model._meta.db_table for model in apps.get_models()}
    assert tables - AUDITED - set(NOT_AUDITED) == set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger"
            " JOIN pg_proc ON pg_proc.oid = tgfoid WHERE proname = 'crm_audit' AND tgparentid = 0"
        )
        assert {table for (table,) in cursor} == AUDITED


def test_a_change_says_who_made_it_and_what_it_was(app):
    with acting(OLGA):
        app.name = "Renamed"
        app.save()
    entry = last("crm.app")
    assert told(entry) == ("admin", "olga", "changed", "Renamed", app.pk)
    assert entry.changes == {"name": ["Example", "Renamed"]}
    assert (entry.operator_id, entry.request_id, entry.address) == (7, "r-1", "192.0.2.7")
    assert entry.object_id == str(app.pk)


@pytest.mark.parametrize(
    "change",
    [
        lambda app: App.objects.filter(pk=app.pk).update(name="Renamed"),
        lambda app: App.objects.bulk_update([App(pk=app.pk, name="Renamed")], ["name"]),
        lambda app: connection.cursor().execute(
            "UPDATE crm_app SET name = 'Renamed' WHERE id = %s", [app.pk]
        ),
    ],
)
def test_no_door_passes_it_by(app, change):
    change(app)
    entry = last("crm.app")
    assert entry.changes == {"name": ["Example", "Renamed"]}
    assert entry.via == "database"
    assert entry.actor == connection.settings_dict["USER"] or entry.actor


def test_a_change_of_nothing_is_none(app):
    before = AuditEntry.objects.count()
    app.save()
    assert AuditEntry.objects.count() == before


def test_whoever_was_at_work_is_forgotten_with_the_transaction(transactional_db):
    with acting(OLGA):
        app = App.objects.create(name="A", api_key="a")
    assert last("crm.app").actor == "olga"
    App.objects.filter(pk=app.pk).update(name="B")
    assert last("crm.app").via == "database"


def test_what_is_undone_was_never_written_down(app):
    before = AuditEntry.objects.count()

    def fails():
        with acting(OLGA):
            App.objects.filter(pk=app.pk).update(name="Renamed")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert AuditEntry.objects.count() == before


def test_no_secret_is_ever_in_it(app, credentials):
    Operator.objects.create_user("olga", password="correct horse battery")
    operator = Operator.objects.get(username="olga")
    credential = credentials["apns"]
    credential.secret = "another secret"
    credential.save()
    for key in app.keys.all():
        key.delete()
    written = json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))
    for model in (AppKey, ProviderCredential):
        for row in model.objects.all():
            assert bytes(row.sealed or b"-").hex() not in written
    assert operator.password not in written
    assert bytes(credential.sealed).decode() not in written
    assert last("delivery.providercredential").changes == {"sealed": ["(hidden)", "(hidden)"]}
    assert last("auth.user").changes["password"] == [None, "(hidden)"]
    assert last("crm.appkey").changes["fingerprint"] == ["(hidden)", None]


def test_each_kind_of_row_says_its_app_and_its_name(app, credentials):
    operator = Operator.objects.create_user("olga")
    rows = {
        "crm.channel": (Channel.objects.create(app=app, uuid="news", name="News"), "News"),
        "crm.segment": (Segment.objects.create(app=app, name="gold", rule={}), "gold"),
        "templates_app.template": (
            Template.objects.create(app=app, uid="t", name="Hello", content={}),
            "Hello",
        ),
        "crm.membership": (
            Membership.objects.create(app=app, operator=operator, role=Role.SENDER),
            "olga",
        ),
        "delivery.providercredential": (credentials["fcm"], "fcm"),
    }
    for kind, (row, name) in rows.items():
        entry = AuditEntry.objects.filter(kind=kind, object_id=str(row.pk)).latest("id")
        assert told(entry)[2:] == ("added", name, app.pk), kind
        row.delete()
        assert told(last(kind))[2:] == ("deleted", name, app.pk), kind


def test_a_breaker_closed_by_hand_is_written_down_and_the_engines_own_doings_are_not(credentials):
    breaker = Breaker.objects.create(credential=credentials["apns"], environment="production")
    Breaker.objects.filter(pk=breaker.pk).update(state="open")
    assert not AuditEntry.objects.filter(kind="delivery.breaker").exists()
    with acting(OLGA):
        Breaker.objects.filter(pk=breaker.pk).update(state="closed")
    entry = last("delivery.breaker")
    assert entry.changes == {"state": ["open", "closed"]}
    assert entry.app_id == credentials["apns"].app_id


def test_sends_of_the_console_and_every_amendment_are_written_down(app, sends):
    from delivery.audience import Audience

    mine = sends.to(Audience(everyone=True)).notification
    assert not AuditEntry.objects.filter(kind="delivery.notification").exists()
    Notification.objects.filter(pk=mine.pk).update(zones_open_until="2030-01-01T00:00Z")
    assert not AuditEntry.objects.filter(kind="delivery.notification").exists()
    Notification.objects.filter(pk=mine.pk).update(cancelled_at="2030-01-01T00:00Z")
    assert list(last("delivery.notification").changes) == ["cancelled_at"]
    with acting(OLGA):
        Notification.objects.filter(pk=mine.pk).update(source="console")
        copy = Notification.objects.get(pk=mine.pk)
        copy.pk = None
        copy.save(force_insert=True)
    entry = last("delivery.notification")
    assert told(entry)[:3] == ("admin", "olga", "added")
    assert entry.changes["audience"][1] == {"everyone": True}


def test_people_are_written_down_only_where_a_person_is_at_work_and_without_what_is_known_of_them(
    app,
):
    user = User.objects.create(app=app, uid="anna@example.com", attributes={"plan": "gold"})
    user.attributes = {"plan": "silver"}
    user.save()
    with acting(Actor(via="command", name="import")):
        User.objects.filter(pk=user.pk).update(attributes={"plan": "tin"})
    assert not AuditEntry.objects.filter(kind="crm.user").exists()
    by_hand = Actor(via="admin", name="olga", by_hand=True)
    with acting(by_hand):
        User.objects.filter(pk=user.pk).update(attributes={"plan": "lead"})
    entry = last("crm.user")
    assert entry.changes == {"attributes": ["(hidden)", "(hidden)"]}
    assert entry.object_id == str(user.pk)
    assert "anna" not in entry.object_name


def test_a_long_value_is_cut(app):
    Segment.objects.create(app=app, name="long", rule={"values": ["x" * 100] * 100})
    rule = last("crm.segment").changes["rule"][1]
    assert len(rule) < 2100
    assert rule.endswith("characters")


def test_a_command_is_laid_at_somebodys_door(db):
    call_command("create_app", "Made", "--json", stdout=StringIO())
    entry = last("crm.app")
    assert entry.via == "command"
    assert entry.actor.endswith(", manage.py create_app")
    call_command("createsuperuser", "--noinput", username="root", email="", stdout=StringIO())
    assert last("auth.user").actor.endswith(", manage.py createsuperuser")


def test_a_command_that_fails_changes_nothing(app):
    with pytest.raises(BaseException):  # noqa: B017
        call_command("set_app", str(app.pk), "--web-icon-url", "https://x", "--web-prompts", "[")
    app.refresh_from_db()
    assert app.web_icon_url == ""


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE crm_auditentry SET actor = 'nobody'",
        "DELETE FROM crm_auditentry",
        "TRUNCATE crm_auditentry",
        """INSERT INTO crm_auditentry (id, action, kind) SELECT id, 'x', 'y' FROM crm_auditentry
        ON CONFLICT (id) DO UPDATE SET actor = 'nobody'""",
    ],
)
def test_it_is_append_only(app, attempt):
    before = list(AuditEntry.objects.values())
    assert before
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute(attempt)
    assert list(AuditEntry.objects.values()) == before


def test_it_is_append_only_for_the_orm_too(app):
    entry = AuditEntry.objects.latest("id")
    for attempt in (entry.delete, entry.save, AuditEntry.objects.all().delete):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()


def test_a_secret_nobody_said_to_hide_is_hidden(db):
    """A column made tomorrow, and a table whose migration forgets it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE tomorrow (id int, app_id int, next_secret text, raw bytea, word text)"
        )
        cursor.execute(
            "CREATE TRIGGER audited AFTER INSERT ON tomorrow FOR EACH ROW"
            " EXECUTE FUNCTION crm_audit('a.b', 'app_id', '', '', '')"
        )
        cursor.execute(r"INSERT INTO tomorrow VALUES (1, 2, 's3cret', '\xdeadbeef', 'hello')")
    changes = last("a.b").changes
    assert changes["next_secret"] == changes["raw"] == [None, "(hidden)"]
    assert changes["word"] == [None, "hello"]


def test_emptying_a_table_is_written_down(app):
    with acting(OLGA):
        connection.cursor().execute("TRUNCATE crm_segment CASCADE")
    assert told(last("crm.segment"))[:3] == ("admin", "olga", "emptied")


def test_it_outlives_an_app(app):
    name, pk = app.name, app.pk
    app.delete()
    assert told(last("crm.app"))[2:] == ("deleted", name, pk)
