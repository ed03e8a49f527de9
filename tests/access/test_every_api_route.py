"""No key and no token leads to another tenant: every route of both dialects, found by enumeration.

A route with a parameter nobody has told of here, or with a door nobody knows, fails.
"""

import json
import re
from base64 import b64encode

import pytest
from connectycube_calls import Cube
from django.test import Client
from kumulos_calls import Caller, basic

from crm.models import Channel, Install, Segment, Session, User
from delivery.message import InAppMessage
from delivery.models import Notification, Webhook
from gateway.connectycube.urls import urlpatterns as cube_routes
from gateway.connectycube.viewset import ApplicationViewSet
from gateway.kumulos.urls import urlpatterns as kumulos_routes
from gateway.kumulos.viewset import DeviceViewSet, ServerViewSet
from templates_app.models import Template
from tests.access.estate import furnish, snapshot, undone

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

OURS = {
    r"^(v2/)?notifications/<str:notification_id>": lambda rows: rows[Notification].pk,
    r"^channels/<anything:channel_id>": lambda rows: rows[Channel].pk,
    r"^v1/segments/<str:key>": lambda rows: rows[Segment].pk,
    r"^v1/messages/in-app/<str:message_id>": lambda rows: rows["message"].pk,
    r"^v1/webhooks/<str:key>": lambda rows: rows[Webhook].pk,
    r"^events/<number:event_id>": lambda rows: rows["event"].pk,
    r"^subscriptions/<number:subscription_id>": lambda rows: rows["subscription"],
    r"^users/<number:user_id>": lambda rows: rows["member"].pk,
}
"""Ids we gave: another tenant's is a 404, whatever is asked of it."""

CALLERS = {
    r"^v1/templates/in-app/<\w+:\w+>": lambda rows: rows[Template].uid,
    r"^v2/users/<anything:uid>": lambda rows: rows[User].uid,
    r"^v1/users/<anything:\w+>": lambda rows: rows[User].uid,
    r"^v1/app-installs/<\w+:\w+>": lambda rows: rows[Install].uid,
    r"^users/external/<anything:external_id>": lambda rows: rows["member"].uid,
}
"""Names callers gave: the same name is somebody of one's own, or a 404."""

QUERIES = {"notifications/<str:notification_id>/why": "?userId=alpha-user"}
"""What a route has to be told before it says anything."""

DOORS = ((DeviceViewSet, "device"), (ServerViewSet, "server"), (ApplicationViewSet, "token"))

BODY = {
    "title": "t",
    "message": "m",
    "broadcast": True,
    "name": "n",
    "rule": {"version": 1, "where": {"field": "tag", "op": "equals", "value": "x"}},
    "event": {"name": "n"},
    "user": {"full_name": "n"},
    "token": "ab" * 32,
    "uuids": [],
    "userId": "u",
}

PLAIN = [route for route in cube_routes if not str(route.pattern).endswith(".json")]
ROUTES = [*kumulos_routes, *PLAIN]
TWINS = [route for route in cube_routes if str(route.pattern).endswith(".json")]

SAFE_ORDER = ("GET", "POST", "PUT", "DELETE")


def door_of(route):
    for view, door in DOORS:
        if issubclass(route.callback.cls, view):
            return door
    pytest.fail(f"{route.pattern}: a door nobody knows")


def methods_of(route):
    found = {method.upper() for method in route.callback.actions} - {"HEAD"}
    return sorted(found, key=SAFE_ORDER.index)


def path_of(route, rows):
    """Give a route's path with ids of `rows`, and whether they are ours, or callers' own."""
    text = str(route.pattern)
    for kinds, ours in ((OURS, True), (CALLERS, False)):
        for pattern, find in kinds.items():
            if re.match(pattern, text.removesuffix(".json")):
                path = PARAMETER.sub(str(find(rows)), text)
                assert len(PARAMETER.findall(text)) == 1, f"{text}: more than one parameter"
                return f"/{path}{QUERIES.get(text, '')}", ours
    assert not PARAMETER.findall(text), f"{text}: say what stands there"
    return f"/{text}", None


def tenant(client, word):
    """Furnish an app for both dialects; give its keys, its rows, and callers for each door."""
    new, rows = furnish(word)
    member = User.objects.create(app=new.app, uid=f"{word}-member", login=f"{word}-member")
    cube = Cube(client, new).of(member)
    [row] = cube.subscribe(word.encode().hex().ljust(64, "a")).json()
    [event] = cube.send().json()
    message = rows[Notification]
    rows |= {
        "member": member,
        "subscription": row["subscription"]["id"],
        "event": Notification.objects.get(pk=event["event"]["id"]),
        "message": message,
    }
    message = Notification.objects.get(pk=message.pk)
    message.pk, message.kind = None, Notification.Kind.IN_APP
    said = InAppMessage(template_uid=f"{word}-template", content={})
    message.message = said.as_json()
    message.save(force_insert=True)
    rows["message"] = message
    callers = {
        "server": Caller(client, basic(new.api_key, new.server_key)),
        "device": Caller(client, basic(new.api_key, new.secret_key)),
        "token": cube,
    }
    return new, rows, callers


@pytest.fixture(scope="module")
def furnished(web, django_db_setup, django_db_blocker):
    """Furnish two apps once for all routes, each of which takes back what it does to them."""
    client = Client()
    client.handler = web
    with django_db_blocker.unblock(), undone():
        yield tenant(client, "alpha"), tenant(client, "bravo")


@pytest.fixture
def tenants(furnished, db):
    """Give both; `db` is a savepoint inside the transaction they were furnished in."""
    return furnished


def asked(caller, route, method, path):
    body = None if method == "GET" else BODY
    if isinstance(caller, Caller) and str(route.pattern).endswith("/events"):
        body = []
    return caller.ask(method, path, body)


@pytest.mark.parametrize("route", [*ROUTES, *TWINS], ids=lambda route: str(route.pattern))
def test_own_keys_lead_to_nothing_of_another_tenant(tenants, route):
    (_, _, callers), (other, theirs, _) = tenants
    before, caller = snapshot(other.app), callers[door_of(route)]
    path, ours = path_of(route, theirs)
    for method in methods_of(route):
        answer = asked(caller, route, method, path)
        told = f"{method} {path}: {answer.status_code} {answer.content[:200]!r}"
        assert answer.status_code < 500, told
        if ours:
            assert answer.status_code == 404, told
        words = answer.content.decode().lower().replace(path.lower().rsplit("/", 1)[-1], "")
        for shown in re.findall(r"bravo[^\"]*", words):
            assert shown in {theirs[User].uid, theirs[Install].uid, theirs["member"].uid}, told
            assert ours is False, told  # a caller's own name, given back
        assert snapshot(other.app) == before, told


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: str(route.pattern))
def test_own_objects_are_there_for_own_keys_alone(tenants, route):
    """The same addresses with the right keys: what is refused above exists."""
    (_, own, callers), _ = tenants
    path, ours = path_of(route, own)
    if ours and "GET" in methods_of(route):
        answer = asked(callers[door_of(route)], route, "GET", path)
        assert answer.status_code == 200, (path, answer.content)


def wrong_doors(new, other, door):
    """Give headers that open nothing behind a door, by what is wrong with them."""
    right, wrong = new.server_key, new.secret_key
    if door == "device":
        right, wrong = wrong, right
    token = b64encode(f"{new.api_key}:{right}".encode()).decode()
    return {
        "no key": {},
        "the key of the other door": {"authorization": basic(new.api_key, wrong)},
        "a wrong key": {"authorization": basic(new.api_key, "wrong")},
        "another tenant's name": {"authorization": basic(other.api_key, right)},
        "another tenant's key": {"authorization": basic(new.api_key, other.server_key)},
        "the right keys as a bearer": {"authorization": f"Bearer {token}"},
        "the right keys in other headers": {
            "x-api-key": new.api_key,
            "x-authorization": basic(new.api_key, right),
            "cb-token": right,
            "cb-authkey": new.auth_key,
        },
        "the right keys in a cookie": {"cookie": f"authorization={basic(new.api_key, right)}"},
        "keys of the other dialect": {"authorization": basic(new.auth_key, new.auth_secret)},
    }


@pytest.mark.parametrize("route", kumulos_routes, ids=lambda route: str(route.pattern))
def test_what_is_no_key_of_this_door_opens_nothing(client, tenants, route):
    (own, rows, _), (other, _, _) = tenants
    before = snapshot(own.app)
    path, _ = path_of(route, rows)
    join = "&" if "?" in path else "?"
    in_the_address = f"{path}{join}apiKey={own.api_key}&serverKey={own.server_key}"
    keys = {**BODY, "apiKey": own.api_key, "serverKey": own.server_key, "key": own.secret_key}
    for method in methods_of(route):
        for wrong, headers in wrong_doors(own, other, door_of(route)).items():
            for address in (path, in_the_address):
                answer = client.generic(
                    method,
                    address,
                    json.dumps(keys),
                    content_type="application/json",
                    headers=headers,
                )
                assert answer.status_code == 401, (method, wrong, answer.content)
                assert "alpha" not in answer.content.decode()
    assert snapshot(own.app) == before


OPEN = {
    ("POST", "session"),  # it is where one shows the application's key
    ("POST", "login"),
    ("POST", "users"),  # with the application's key instead
}
"""What is reached without a session; with neither it is refused for what it says."""


@pytest.mark.parametrize("route", PLAIN, ids=lambda route: str(route.pattern))
def test_what_is_no_session_of_this_tenant_opens_nothing(client, tenants, route):
    (own, rows, callers), (other, _, _) = tenants
    token = callers["token"].token
    path, _ = path_of(route, rows)
    Session.objects.filter(app=other.app).delete()
    before = snapshot(own.app)
    for method in methods_of(route):
        for wrong, headers in {
            "no token": {},
            "a wrong token": {"cb-token": "wrong"},
            "a token as Kumulos takes keys": {"authorization": basic(own.api_key, own.server_key)},
            "a token as a bearer": {"authorization": f"Bearer {token}"},
            "a token in a cookie": {"cookie": f"CB-Token={token}"},
            "a key of the server": {"cb-token": own.server_key},
            "a key of the application": {"cb-token": own.auth_key},
        }.items():
            for address in (path, f"{path}?token={token}&CB-Token={token}"):
                body = json.dumps({**BODY, "token": token})
                answer = client.generic(
                    method, address, body, content_type="application/json", headers=headers
                )
                told = (method, wrong, answer.status_code, answer.content[:200])
                expected = {401, 403, 422, 400} if (method, path[1:]) in OPEN else {401, 403}
                assert answer.status_code in expected, told
                assert "alpha" not in answer.content.decode(), told
    assert snapshot(own.app) == before


def test_another_tenants_session_is_its_own(tenants):
    (_, own, _), (_, _, others) = tenants
    for route in PLAIN:
        path, ours = path_of(route, own)
        for method in methods_of(route):
            if ours and method != "DELETE":
                answer = asked(others["token"], route, method, path)
                assert answer.status_code == 404, (method, path)
