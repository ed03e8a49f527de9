"""One form, one send."""

from uuid import uuid4

import pytest
from django.db import connection

from crm.commands.apps import create_app
from crm.errors import Conflict
from delivery.audience import Audience
from delivery.commands.once import send_once
from delivery.commands.send import SendNotification
from delivery.message import Message
from delivery.models import Notification
from tests.at_once import at_once


def asking(app, **said):
    return SendNotification(
        app=app,
        source=Notification.Source.CONSOLE,
        message=Message(title="Hello", body="World"),
        audience=Audience(everyone=True),
        operator="olga",
        **said,
    )


@pytest.mark.django_db
def test_a_ticket_used_again_gives_the_first_notification(app):
    ticket = uuid4()
    first, second = (send_once(asking(app), ticket=ticket) for _ in range(2))
    assert (first.new, second.new) == (True, False)
    assert first.notification == second.notification
    assert first.notification.operator == "olga"
    assert Notification.objects.count() == 1


@pytest.mark.django_db
def test_a_ticket_is_one_operators_and_one_apps(app):
    ticket = uuid4()
    send_once(asking(app), ticket=ticket)
    with pytest.raises(Conflict):
        send_once(asking(create_app(name="Other").app), ticket=ticket)
    assert Notification.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_store_one(app):
    ticket = uuid4()
    sent = at_once(*[lambda: send_once(asking(app), ticket=ticket)] * 4)
    assert len({one.notification.pk for one in sent}) == 1
    assert [one.new for one in sent].count(True) == 1
    connection.close()
