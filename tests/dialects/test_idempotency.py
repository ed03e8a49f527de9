"""Asking again under one key: each create of both dialects, found in the URL conf itself."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from connectycube_calls import Cube, errors
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from hypothesis import given
from hypothesis import strategies as st
from kumulos_calls import Caller, basic
from test_kumulos_fuzz import FAST

from crm.commands import kept_answers
from crm.commands.accounts import SignUp, sign_up
from crm.commands.apps import create_app
from crm.models import Channel, DeviceToken, Event, KeptAnswer, Segment, User
from delivery.models import Notification
from gateway.database.base import DatabaseWrapper
from gateway.rest.idempotency import MARK
from templates_app.models import Template
from tests.at_once import at_once

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
RULE = {"version": 1, "where": {"field": "tag", "op": "equals", "value": "vip"}}
PUSH = {"title": "Hello", "message": "World", "broadcast": True}


@dataclass(frozen=True)
class Create:
    """A call that makes something: who makes it, where, with what, and what there is of it then."""

    door: str
    path: str
    body: Any
    made: Any

    @property
    def field(self) -> str:
        return "idempotency_key" if self.door in {"cube", "john"} else "idempotencyKey"


CREATES = {
    "notifications": Create("backend", "/notifications", PUSH, Notification),
    "v2/notifications": Create(
        "backend",
        "/v2/notifications",
        {"target": {"broadcast": True}, "content": {"title": "Hello", "message": "World"}},
        Notification,
    ),
    "v1/messages/in-app": Create(
        "backend", "/v1/messages/in-app", {"templateUid": "offer", "broadcast": True}, Notification
    ),
    "channels": Create("backend", "/channels", {"uuid": "news", "name": "News"}, Channel),
    "v1/segments": Create("backend", "/v1/segments", {"name": "VIP", "rule": RULE}, Segment),
    "v1/templates/in-app": Create(
        "backend", "/v1/templates/in-app", {"name": "N", "uid": "n", "content": {"a": 1}}, Template
    ),
    "v1/channels": Create(
        "device", "/v1/channels", {"uuid": "mine", "name": "Mine", "installId": "one"}, Channel
    ),
    "v1/app-installs/<anything:install_uid>/opens": Create(
        "device", "/v1/app-installs/one/opens", {"id": 1}, Event
    ),
    "users": Create("cube", "/users", {"user": {"login": "dacia", "password": "petU4or!"}}, User),
    "subscriptions": Create("john", "/subscriptions", None, DeviceToken),
    "events": Create("john", "/events", None, Notification),
    "events/<number:event_id>": Create("john", "/events/{id}", {"event": {"active": 1}}, None),
}

WITHOUT = {
    "channels/<anything:channel_id>/subscriptions": "twice is as good as once",
    "v1/app-installs/<anything:uid>/channels/subscriptions": "twice is as good as once",
    "v1/users/<anything:uid>/channels/subscriptions": "twice is as good as once",
    "v1/app-installs/<anything:install_uid>/events": "each event is known by its own uuid",
    "v1/segments/preview": "stores nothing",
    "v1/webhooks/<str:key>/replay": "sets a cursor; what is told again has the ids it had",
    "session": "its answer is a token, of which only a fingerprint is kept",
    "login": "changes the session; twice is as good as once",
}
"""Posts that take no key, and why."""


def posts():
    """Give every route that answers a POST, and whether it runs once for a key."""
    for pattern in get_resolver().url_patterns:
        for route in getattr(pattern, "url_patterns", [pattern]):
            actions = getattr(route.callback, "actions", None) or {}
            if "post" in actions:
                action = getattr(route.callback.cls, actions["post"])
                yield str(route.pattern).removesuffix(".json"), getattr(action, MARK, False)


def test_every_post_takes_a_key_or_says_why_not():
    found = dict(posts())
    assert {route for route, keyed in found.items() if keyed} == set(CREATES)
    assert {route for route, keyed in found.items() if not keyed} == set(WITHOUT)


@pytest.fixture
def doors(client, new_app):
    """Give a caller of each kind; John's phone is subscribed, and a template is there."""
    cube = Cube(client, new_app)
    john = cube.of(sign_up(SignUp(app=new_app.app, login="john", password="secret 1")))
    assert john.subscribe().status_code == 201
    Template.objects.create(app=new_app.app, uid="offer", name="Offer", content={"a": 1})
    return {
        "backend": Caller(client, basic(new_app.api_key, new_app.server_key)),
        "device": Caller(client, basic(new_app.api_key, new_app.secret_key)),
        "cube": cube.of(None),
        "john": john,
    }


class Asking:
    """One create as its caller asks for it."""

    def __init__(self, create: Create, caller: Any) -> None:
        self.create, self.caller = create, caller
        self.path, self.body = create.path, create.body
        if create.door == "john":
            self._as_john(caller)
        self.before = self.count()

    def _as_john(self, john: Cube) -> None:
        from connectycube_calls import APNS_TOKEN, universal

        event = {
            "notification_type": "push",
            "environment": "development",
            "message": universal(message="Hello"),
            "user": {"ids": str(john.user.pk)},
        }
        if self.path == "/events":
            self.body = {"event": event}
        elif self.path == "/subscriptions":
            push = {
                "environment": "development",
                "client_identification_sequence": APNS_TOKEN[::-1],
            }
            device = {"platform": "ios", "udid": "phone-2"}
            self.body = {"notification_channel": "apns", "push_token": push, "device": device}
        else:
            answer = john.ask("POST", "/events", {"event": event})
            [made] = [answer.json()] if isinstance(answer.json(), dict) else answer.json()[:1]
            self.path = f"/events/{made['event']['id']}"
            Notification.objects.get(pk=made["event"]["id"]).occurrences.update(state="done")

    def __call__(self, key: str | None = "key-1", **said: Any):
        """Give the answer under a key in the header."""
        headers = {} if key is None else {HEADER: key}
        return self.ask({**self.body, **said}, headers)

    def ask(self, body: Any, headers: dict[str, str]):
        if isinstance(self.caller, Cube):
            return self.caller.ask("POST", self.path, body, headers=headers)
        told = {f"HTTP_{name.upper().replace('-', '_')}": said for name, said in headers.items()}
        return self.caller.ask("POST", self.path, body, **told)

    def count(self) -> int:
        """Give how many there are of what it makes; runs, where it makes something run again."""
        if self.create.made is None:
            return Notification.objects.get(pk=self.path.rsplit("/", 1)[1]).occurrences.count()
        return self.create.made.objects.count()

    def made(self) -> int:
        return self.count() - self.before


@pytest.fixture(params=CREATES, ids=lambda route: route)
def asking(request, doors):
    create = CREATES[request.param]
    return Asking(create, doors[create.door])


@pytest.fixture
def send(doors):
    return Asking(CREATES["notifications"], doors["backend"])


def conflict(answer, asking, status: int) -> str:
    """Check a refusal's shape in the dialect of whoever asked, and give what it says."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/json"
    assert REPLAYED not in answer.headers
    said = answer.json()
    if isinstance(asking.caller, Cube):
        [reason] = errors(answer, status)
        return reason
    assert set(said) == {"error"}
    return said["error"]


def test_the_same_ask_is_done_once_and_answered_alike(asking):
    first, second = asking(), asking()
    assert first.status_code in {200, 201, 202, 204}, first.content
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers.get("Content-Type") == first.headers.get("Content-Type")
    assert (REPLAYED in first.headers, second.headers[REPLAYED]) == (False, "true")
    assert asking.made() == 1
    assert KeptAnswer.objects.count() == 1


def test_an_answer_under_a_key_is_the_one_without(asking):
    with_key = asking()
    KeptAnswer.objects.all().delete()
    undo(asking)
    without = asking(key=None)
    assert without.status_code == with_key.status_code, without.content
    assert without.headers.get("Content-Type") == with_key.headers.get("Content-Type")
    if with_key.content:
        assert shape(without.json()) == shape(with_key.json())


def undo(asking):
    """Have it as if the first had never been, but for its number."""
    if asking.create.made in {Channel, Segment}:
        asking.create.made.objects.all().delete()
    elif asking.create.made is Template:
        Template.objects.exclude(uid="offer").delete()
    elif asking.create.made is User:
        User.objects.filter(login="dacia").delete()
    elif asking.create.made is None:
        Notification.objects.latest("pk").occurrences.update(state="done")


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value)


def test_the_key_may_be_a_member_of_the_body(asking):
    said = {asking.create.field: "key-2"}
    first, second = asking(None, **said), asking(None, **said)
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers[REPLAYED] == "true"
    assert asking.made() == 1
    # the header and the member are one key, and another body is another request
    conflict(asking("key-2"), asking, 422)


def test_another_body_under_the_key_is_refused(asking):
    asking()
    assert "another request" in conflict(asking(more=1), asking, 422)
    assert asking.made() == 1


def test_a_key_whose_first_request_still_runs_is_told_to_come_again(asking, monkeypatch):
    monkeypatch.setattr(kept_answers, "_hold", lambda call: False)
    answer = asking()
    assert "still running" in conflict(answer, asking, 409)
    assert answer.headers["Retry-After"] == "1"
    assert asking.made() == 0


def test_a_key_opens_nothing_but_its_own_route(doors):
    first = Asking(CREATES["channels"], doors["backend"])
    other = Asking(CREATES["v1/segments"], doors["backend"])
    other.body = first.body = {"name": "VIP", "uuid": "vip", "rule": RULE}
    assert first().status_code == 201
    conflict(other(), other, 422)


def test_keys_belong_to_an_app_and_to_a_door(doors, client, send):
    assert send().status_code == 201
    other = create_app(name="Other")
    stranger = Asking(send.create, Caller(client, basic(other.api_key, other.server_key)))
    device = Asking(CREATES["v1/channels"], doors["device"])
    jane = doors["cube"].of(
        sign_up(SignUp(app=doors["cube"].keys.app, login="jane", password="x" * 9))
    )
    john = doors["john"]
    assert jane.subscribe(push={"client_identification_sequence": "ab" * 32}).status_code == 201
    answers = [
        stranger(),
        device(),
        Asking(CREATES["events"], john)(),
        Asking(CREATES["events"], jane)(),
    ]
    assert [answer.status_code for answer in answers] == [201] * 4
    assert not any(REPLAYED in answer.headers for answer in answers)


def test_a_user_has_the_same_keys_in_every_session(doors):
    john = doors["john"]
    assert Asking(CREATES["events"], john)().status_code == 201
    again = Asking(CREATES["events"], john.of(john.user))()
    assert again.headers[REPLAYED] == "true"
    assert again.headers["CB-Token-ExpirationDate"]


def test_the_json_spelling_of_a_path_is_another_request(doors):
    event = Asking(CREATES["events"], doors["john"])
    event()
    event.path = "/events.json"
    conflict(event(), event, 422)


# -- what is no key


@pytest.mark.parametrize("key", ["", " ", '""', "x" * 256, "clé", "a\tb"])
def test_what_is_no_key_is_refused_under_its_name(send, key):
    answer = send(key)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", HEADER}
    assert not KeptAnswer.objects.exists()
    assert send.made() == 0


@pytest.mark.parametrize("key", [1, True, [], {}, "x" * 256, "a\tb", "é"])
def test_what_is_no_key_in_a_body_is_refused_under_its_name(doors, send, key):
    answer = send(None, idempotencyKey=key)
    assert (answer.status_code, set(answer.json())) == (422, {"error", "idempotencyKey"})
    event = Asking(CREATES["events"], doors["john"])
    assert list(errors(event(None, idempotency_key=key), 422)) == ["idempotency_key"]
    assert (send.made(), event.made()) == (0, 0)


def test_null_is_no_key_and_a_deeper_member_is_none_either(send):
    for said in ({"idempotencyKey": None}, {"data": {"idempotencyKey": "k"}}):
        assert send(None, **said).status_code == 201
    assert not KeptAnswer.objects.exists()


def test_a_key_in_quotes_is_the_key(send):
    assert send('"k 1"').status_code == 201
    assert send("k 1").headers[REPLAYED] == "true"


def test_two_keys_must_be_one(send):
    assert send("a", idempotencyKey="a").status_code == 201
    answer = send("a", idempotencyKey="b")
    assert (answer.status_code, set(answer.json())) == (422, {"error", "idempotencyKey"})


def test_a_form_may_hold_the_key(doors):
    form = "user[login]=formal&user[password]=petU4or!&idempotency_key=k"
    first, second = (doors["cube"].ask("POST", "/users", form) for _ in range(2))
    assert (first.status_code, second.status_code, second.headers[REPLAYED]) == (201, 201, "true")


@pytest.mark.parametrize("path", ["/session", "/session.json"])
def test_sessions_keep_no_answer(doors, path):
    cube = doors["cube"]
    tokens = {
        cube.ask("POST", path, cube.opening, headers={HEADER: "k"}).json()["session"]["token"]
        for _ in range(2)
    }
    assert len(tokens) == 2
    assert not KeptAnswer.objects.exists()


# -- refusals and faults


def test_a_refusal_is_not_kept(asking, monkeypatch):
    monkeypatch.setattr(kept_answers, "LARGEST", -1)
    refused = asking()
    assert refused.status_code == 422
    assert asking.made() == 0, "what was made is gone with the refusal"
    monkeypatch.undo()
    answer = asking()
    assert answer.status_code in {200, 201, 202, 204}
    assert REPLAYED not in answer.headers
    assert asking.made() == 1


def test_what_was_refused_may_be_put_right_under_the_same_key(send):
    assert send(title="").status_code == 422
    assert send().status_code == 201
    assert send.made() == 1


def test_an_answer_too_large_to_keep_is_refused_before_anything_is_done(send, monkeypatch):
    monkeypatch.setattr(kept_answers, "LARGEST", 500)
    answer = send(data={"a": "x" * 600})
    assert answer.status_code == 422
    assert "larger than the 500 bytes" in answer.json()["error"]
    assert send.made() == 0
    assert send(None, data={"a": "x" * 600}).status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stored", [True, False])
def test_after_a_commit_nobody_heard_of_the_ask_may_be_repeated(send, client, monkeypatch, stored):
    client.raise_request_exception = False

    def hang(self):
        if stored:
            self.connection.commit()
        self.connection.close()
        raise OperationalError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(DatabaseWrapper, "_commit", hang)
        assert send().status_code == 500
    answer = send()
    assert (answer.status_code, REPLAYED in answer.headers) == (201, stored)
    assert send.made() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_runs(asking):
    answers = at_once(*[asking] * 20)
    codes = [answer.status_code for answer in answers]
    done = [answer for answer in answers if answer.status_code < 300]
    assert done, codes
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 204, 409}
    assert sum(REPLAYED not in answer.headers for answer in done) == 1
    assert len({answer.content for answer in done}) == 1
    assert asking.made() == 1
    assert asking().headers[REPLAYED] == "true"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from([{}, {"title": "Other"}, {"title": ""}, {"ttl": -1}]),
    ),
    max_size=8,
)


@FAST
@given(steps=STEPS)
def test_whatever_is_asked_a_key_makes_one_thing_at_most(send, steps):
    KeptAnswer.objects.all().delete()
    before, made = send.count(), {}
    for key, said in steps:
        answer = send(key, **said)
        if answer.status_code == 201:
            first = made.setdefault(key, answer.content)
            assert answer.content == first
        else:
            assert answer.status_code == 422
    assert send.count() - before == len(made)


# -- what it costs, and how it is kept


def test_a_call_without_a_key_asks_for_nothing_more(send, monkeypatch):
    send(None)
    monkeypatch.setattr(kept_answers, "_hold", None)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert send(None).status_code == 201
    assert not any("kept" in query["sql"] or "advisory" in query["sql"] for query in asked)
    assert not any("SAVEPOINT" in query["sql"] for query in asked)


def test_a_call_with_a_key_asks_for_three_things_more(send):
    send(None)
    with CaptureQueriesContext(connection) as plain:
        assert send(None).status_code == 201
    with CaptureQueriesContext(connection) as keyed:
        assert send().status_code == 201
    asked, extra = _asked(plain), _asked(keyed)
    assert len(extra) - len(asked) == 3
    assert "pg_try_advisory_xact_lock" in extra[len(asked)]


def _asked(queries):
    """Give what was asked because of the call: the database's clock is read now and then."""
    now_and_then = ("SAVEPOINT", "clock_timestamp")
    return [q["sql"] for q in queries if not any(word in q["sql"] for word in now_and_then)]


def test_an_answer_is_kept_sealed_and_the_request_as_a_mark(doors):
    body = {"user": {"login": "dacia", "password": "petU4or!"}}
    headers = {HEADER: "k"}
    assert doors["cube"].ask("POST", "/users", body, headers=headers).status_code == 201
    kept = KeptAnswer.objects.get()
    assert b"login" not in bytes(kept.sealed)
    assert len(bytes(kept.mark)) == 32


def test_an_answer_outlives_a_change_of_the_sealing_key(send, settings):
    first = send()
    settings.SEALING_KEYS = ["new", *settings.SEALING_KEYS]
    assert send().content == first.content


def test_pages_may_send_the_key_and_read_the_marker(client, db):
    for path in ("/events", "/v1/channels"):
        answer = client.options(path)
        assert HEADER in answer.headers["Access-Control-Allow-Headers"]
    device = client.post("/v1/channels", data=b"{}", content_type="application/json")
    assert REPLAYED in device.headers["Access-Control-Expose-Headers"]


def test_the_openapi_page_shows_the_key_where_it_is_taken(client):
    paths = client.get("/docs/openapi.json").json()["paths"]
    shown = {
        path
        for path, item in paths.items()
        for said in [item.get("post", {})]
        if any(one["name"] == HEADER for one in said.get("parameters", ()))
        and "409" in said["responses"]
    }
    plain = {
        "/"
        + route.replace("anything:", "").replace("number:", "").replace("<", "{").replace(">", "}")
        for route in CREATES
    }
    assert shown == plain
    assert json.dumps(paths["/notifications"]["post"]["responses"]["201"]).count(REPLAYED) == 1
