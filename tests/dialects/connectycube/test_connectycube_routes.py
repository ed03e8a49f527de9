"""What holds for every route: two spellings, no redirects, JSON refusals, open to any page."""

import pytest
from connectycube_calls import FORM, errors

from crm.models import DeviceToken, Session, User
from delivery.models import Notification
from gateway.connectycube.urls import urlpatterns
from gateway.kumulos.urls import urlpatterns as kumulos_routes

ROUTES = [pattern for pattern in urlpatterns if not str(pattern.pattern).endswith(".json")]
METHODS = ("GET", "POST", "PUT", "DELETE")
ORIGIN = "Access-Control-Allow-Origin"


def path_of(pattern, **ids):
    text = str(pattern.pattern)
    for converter, name in (("number", n) for n in ("user_id", "event_id", "subscription_id")):
        text = text.replace(f"<{converter}:{name}>", str(ids.get(name, 1)))
    return "/" + text.replace("<anything:external_id>", str(ids.get("external_id", "x")))


def allowed(pattern):
    return {method.upper() for method in pattern.callback.actions} & set(METHODS)


def test_every_route_is_there_in_both_spellings():
    plain = {str(pattern.pattern) for pattern in ROUTES}
    twins = {str(pattern.pattern) for pattern in urlpatterns} - plain
    assert twins == {f"{route}.json" for route in plain}
    assert len(plain) == 16


@pytest.mark.parametrize("pattern", ROUTES, ids=path_of)
def test_no_route_redirects_and_a_slash_at_the_end_is_another_path(john, pattern):
    path = path_of(pattern)
    for method in METHODS:
        for spelled in (path, f"{path}.json"):
            answer = john.ask(method, spelled, {} if method in {"POST", "PUT"} else None)
            assert answer.status_code not in range(300, 400)
            assert answer.status_code < 500
            assert answer.headers[ORIGIN] == "*"
            if answer.content:
                assert answer.headers["Content-Type"] == "application/json"
        if "<anything:" not in str(pattern.pattern):
            refused = errors(john.ask(method, f"{path}/"), 404)
            assert refused == ["The resource wasn't found"]


@pytest.mark.parametrize("pattern", ROUTES, ids=path_of)
def test_a_method_that_is_not_there_is_a_405_in_json(john, pattern):
    for method in {*METHODS, "PATCH"} - allowed(pattern):
        refused = errors(john.ask(method, path_of(pattern)), 405)
        assert refused == [f'Method "{method}" not allowed.']


@pytest.mark.parametrize("pattern", ROUTES, ids=path_of)
def test_a_browser_asks_without_a_token(db, client, pattern):
    answer = client.options(
        path_of(pattern),
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "cb-token,content-type",
        },
    )
    assert answer.status_code == 204
    assert answer.headers[ORIGIN] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE"
    allowed_headers = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"CB-Token", "CB-AuthKey", "CB-SDK", "Content-Type"} <= set(allowed_headers)


def test_pages_may_read_when_the_token_ends(john):
    answer = john.ask("GET", "/session")
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"CB-Token-ExpirationDate", "Date"} <= set(exposed)


@pytest.mark.parametrize("path", ["/users/1/2/3", "/eventsX", "/session/1", "/chat/Dialog.json"])
def test_what_is_nowhere_is_a_404_in_the_voice_of_whoever_asks(john, path):
    assert errors(john.ask("GET", path), 404) == ["The resource wasn't found"]


def test_a_path_of_nobody_is_answered_in_the_other_dialect(db, client):
    assert client.get("/chat/Dialog.json").json() == {"error": "Not found."}
    assert client.get("/users/1/2").json() == {"errors": ["The resource wasn't found"]}


def test_a_fault_of_ours_is_a_500_in_json(john, client):
    User.objects.update(profile=[])  # a row no code of ours writes
    client.raise_request_exception = False
    answer = john.ask("GET", "/session")
    assert answer.status_code == 500
    assert answer.json() == {
        "status": "500",
        "error": "Internal Server Error",
        "errors": ["Internal Server Error"],
    }
    assert answer.headers[ORIGIN] == "*"


@pytest.fixture
def own(john):
    """Give ids of everything the caller has."""
    named = {"uid": "own", "uid_is_ours": False, "email": "own@example.com", "full_name": "own"}
    User.objects.filter(pk=john.user.pk).update(**named)
    john.user.refresh_from_db()
    return belongings(john)


def asked(pattern, ids):
    """Give a path that finds something: what looks for one name has to be told it."""
    named = "?login=john&email=own@example.com&full_name=own&tags=vip"
    return path_of(pattern, **ids) + (named if "/by_" in str(pattern.pattern) else "")


READ_OR_ENDED = [
    (pattern, method)
    for pattern in ROUTES
    for method in ("GET", "DELETE")
    if method in allowed(pattern)
]


@pytest.mark.parametrize(
    ("pattern", "method"),
    READ_OR_ENDED,
    ids=[f"{method} {path_of(pattern)}" for pattern, method in READ_OR_ENDED],
)
def test_a_forms_content_type_without_a_body_is_normal(john, own, pattern, method):
    answer = john.ask(method, asked(pattern, own), content_type=FORM)
    assert answer.status_code == 200
    assert (answer.content == b"") == (method == "DELETE")


@pytest.mark.parametrize("accept", ["text/html", "image/png", "*/*", "", "nonsense"])
@pytest.mark.parametrize("pattern", ROUTES, ids=path_of)
def test_json_is_answered_whatever_is_asked_for(john, own, pattern, accept):
    if "GET" in allowed(pattern):
        answer = john.ask("GET", asked(pattern, own), headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    errors(john.ask("PATCH", asked(pattern, own), headers={"Accept": accept}), 405)


def test_headers_of_clients_are_no_concern_of_ours(john):
    headers = {"CB-SDK": "JS 6", "CB-OS": "web", "ConnectyCube-REST-API-Version": "0.1.1"}
    assert john.ask("GET", "/session", headers=headers).status_code == 200
    spaced = {"CB-Token": f"  {john.token} "}
    assert john.ask("GET", "/session", headers=spaced).status_code == 200


def test_a_body_that_is_too_large_is_a_bad_request(john, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = {"event": {"message": "x" * 2000}}
    assert errors(john.ask("POST", "/events", body), 400) == ["Bad request"]


# -- tenants


@pytest.fixture
def theirs(other_cube):
    """Give ids of everything another application has."""
    user = User.objects.create(app=other_cube.keys.app, uid="theirs", login="theirs")
    return belongings(other_cube.of(user), "cd" * 32)


def belongings(caller, token=""):
    """Make one of everything and give its ids."""
    [row] = caller.subscribe(token).json()
    [event] = caller.send().json()
    return {
        "user_id": caller.user.pk,
        "external_id": caller.user.uid,
        "subscription_id": row["subscription"]["id"],
        "event_id": event["event"]["id"],
    }


@pytest.mark.parametrize("pattern", ROUTES, ids=path_of)
def test_no_route_leads_to_another_application(john, other_cube, theirs, pattern):
    before = state()
    named = "<" in str(pattern.pattern)
    for method in sorted(allowed(pattern), key=METHODS.index):  # what ends a session comes last
        body = {"event": {"name": "x"}, "user": {"full_name": "x"}}
        answer = john.ask(method, path_of(pattern, **theirs), body if method != "GET" else None)
        if named:
            assert errors(answer, 404) == ["The resource wasn't found"]
        elif method == "GET":
            assert "theirs" not in answer.content.decode()
            assert "cdcdcd" not in answer.content.decode()
    assert state() == before
    assert Session.objects.filter(app=other_cube.keys.app).exists()


def test_no_search_finds_another_applications_people(john, theirs):
    for path in (
        "/users/by_login?login=theirs",
        "/users/by_email?email=theirs",
        "/users/by_tags?tags=theirs",
        "/users/by_full_name?full_name=theirs",
        f"/users/v2?id={theirs['user_id']}",
        "/users/v2?login=theirs",
        "/users?filter[]=string+login+in+theirs",
    ):
        answer = john.ask("GET", path)
        assert answer.status_code == 404 or answer.json()["items"] == []


def state():
    return [
        list(
            model.objects.exclude(login="john").values()
            if model is User
            else model.objects.values()
        )
        for model in (User, DeviceToken, Notification)
    ]


def test_both_dialects_share_one_path_space_without_a_clash():
    found = {str(pattern.pattern) for pattern in kumulos_routes}
    own = {str(pattern.pattern) for pattern in urlpatterns}
    assert own.isdisjoint(found)
