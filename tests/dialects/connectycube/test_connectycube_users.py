"""Users: signed up, read, changed and deleted (contracts/connectycube §5)."""

from urllib.parse import quote, urlencode

import pytest
from connectycube_calls import errors

from crm.models import DeviceToken, Install, Session, User

KEYS = [
    *("id", "full_name", "email", "login", "phone", "website", "created_at", "updated_at"),
    *("last_request_at", "external_user_id", "external_id", "facebook_id", "twitter_id"),
    *("blob_id", "custom_data", "avatar", "user_tags", "timezone", "is_guest"),
]
NOT_FOUND = ["The resource wasn't found"]


def user(answer, status=200):
    assert answer.status_code == status, answer.content
    assert list(answer.json()) == ["user"]
    return answer.json()["user"]


def sign_up(caller, **said):
    body = {"user": {"login": "dacia", "password": "petU4or!", **said}}
    return caller.ask("POST", "/users", body)


@pytest.fixture
def application(cube):
    return cube.of(None)


# -- signing up


def test_everything_that_may_be_said_is_kept_and_answered(application):
    said = {
        "email": "dacia_k@domain.com",
        "full_name": "Dacia Kail",
        "phone": "+6110797757",
        "website": "http://example.com",
        "external_user_id": 52691165,
        "external_id": "crm-17",
        "facebook_id": "91234409",
        "twitter_id": 83510562734,
        "blob_id": "7",
        "custom_data": "Knows all",
        "avatar": "a.png",
        "timezone": 180,
        "tag_list": "vip, accountant,vip",
    }
    made = user(sign_up(application, **said), 201)
    assert list(made) == KEYS
    assert {k: made[k] for k in said if k in made} == {
        **{k: v for k, v in said.items() if k != "tag_list"},
        "twitter_id": "83510562734",
        "blob_id": 7,
    }
    assert (made["login"], made["user_tags"], made["is_guest"]) == ("dacia", "vip,accountant", None)
    assert user(application.ask("GET", f"/users/{made['id']}")) == made


def test_what_was_not_said_is_null(application):
    made = user(sign_up(application), 201)
    said = {"id", "login", "created_at", "updated_at"}
    assert {k for k, v in made.items() if v is not None} == said


def test_the_applications_key_signs_up_and_opens_nothing_else(cube, other_cube):
    for header in ("CB-AuthKey", "QB-AuthKey"):
        keyed = {header: cube.keys.auth_key}
        body = {"user": {"login": f"by-{header}", "password": "secret"}}
        assert cube.ask("POST", "/users", body, headers=keyed).status_code == 201
        assert errors(cube.ask("GET", "/users", headers=keyed), 401) == ["Token is required"]
    assert set(User.objects.values_list("app", flat=True)) == {cube.keys.app.pk}
    for wrong in ("no", cube.keys.server_key, cube.keys.auth_secret):
        answer = cube.ask("POST", "/users", body, headers={"CB-AuthKey": wrong})
        assert errors(answer, 401) == ["Unauthorized"]
    assert errors(cube.ask("POST", "/users", body), 401) == ["Token is required"]


def test_a_form_signs_up_as_json_does(application):
    form = {"user[login]": "a b+c", "user[password]": "p@ss w+rd&1", "user[tag_list]": "x,y"}
    made = user(application.ask("POST", "/users.json", urlencode(form)), 201)
    assert (made["login"], made["user_tags"]) == ("a b+c", "x,y")
    said = {"login": "a b+c", "password": "p@ss w+rd&1"}
    assert application.ask("POST", "/login", said).status_code == 202


@pytest.mark.parametrize("said", [{}, {"user": None}, {"user": {}}, {"login": "a"}])
def test_no_user_is_blank(application, said):
    assert errors(application.ask("POST", "/users", said), 422) == {"user": ["can't be blank"]}


def test_every_bad_member_is_named_at_once(application, person):
    person("taken", email="taken@example.com")
    assert errors(application.ask("POST", "/users", {"user": {"phone": "1"}}), 422) == {
        "login": ["can't be blank"],
        "email": ["can't be blank"],
        "password": ["can't be blank"],
    }
    refused = errors(
        sign_up(application, login="ab", email="no", full_name="x" * 256, external_id="x" * 513),
        422,
    )
    assert refused == {
        "login": ["is too short (minimum is 3 characters)"],
        "email": ["is invalid"],
        "full_name": ["is too long (maximum is 255 characters)"],
        "external_id": ["is too long (maximum is 512 characters)"],
    }
    assert errors(sign_up(application, login="taken", email="taken@example.com"), 422) == {
        "login": ["has already been taken"],
        "email": ["has already been taken"],
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("login", ["a"]),
        ("login", {"a": 1}),
        ("password", 12345),
        ("external_user_id", "x"),
        ("external_user_id", 1.5),
        ("external_user_id", True),
        ("external_user_id", 2**64),
        ("timezone", "soon"),
        ("blob_id", []),
        ("tag_list", [{}]),
        ("custom_data", {"a": 1}),
    ],
)
def test_a_value_of_the_wrong_kind_is_invalid(application, key, value):
    assert errors(sign_up(application, **{key: value}), 422)[key] == ["is invalid"]
    assert not User.objects.exists()


# -- reading one


def test_one_is_found_by_id_login_email_and_external_id(application, person):
    john = person("john", email="john@example.com", external_id="crm/17 é.x", external_user_id=77)
    for path in (
        f"/users/{john.pk}",
        "/users/by_login?login=john",
        "/users/by_email?email=john%40example.com",
        f"/users/external/{quote('crm/17 é.x', safe='')}",
        "/users/external/77",
    ):
        first, _, query = path.partition("?")
        for form in (path, f"{first}.json?{query}"):
            assert user(application.ask("GET", form))["id"] == john.pk, form


def test_whoever_is_not_there_is_not_found(application, phones, other_cube, person):
    anonymous = phones.install("install-1").user
    stranger = User.objects.create(app=other_cube.keys.app, uid="s", login="stranger")
    made_up = person("john")
    for path in (
        "/users/99999",
        "/users/99999999999",
        "/users/x",
        "/users/by_login?login=nobody",
        "/users/by_login?login=stranger",
        "/users/by_email?email=nobody",
        "/users/external/nobody",
        "/users/external/%00",
        f"/users/external/{made_up.uid}",
        f"/users/{anonymous.pk}",
        "/users/external/install-1",
        f"/users/{stranger.pk}",
    ):
        assert errors(application.ask("GET", path), 404) == NOT_FOUND, path


def test_a_name_must_be_asked_for(application):
    assert errors(application.ask("GET", "/users/by_login"), 422) == {"login": ["can't be blank"]}
    assert errors(application.ask("GET", "/users/by_email?email="), 422) == {
        "email": ["can't be blank"]
    }


# -- changing


def test_one_changes_oneself(john):
    path = f"/users/{john.user.pk}"
    body = {"user": {"full_name": "John", "tag_list": ["b", "a"], "phone": "1", "login": "johnny"}}
    now = user(john.ask("PUT", path, body))
    assert (now["full_name"], now["user_tags"], now["phone"]) == ("John", "b,a", "1")
    assert now["login"] == "johnny"
    now = user(john.ask("PUT", f"{path}.json", {"user": {"full_name": None, "tag_list": ""}}))
    assert (now["full_name"], now["user_tags"], now["phone"]) == (None, None, "1")


def test_a_new_password_needs_the_old_one(john, cube):
    path = f"/users/{john.user.pk}"
    new = {"password": "secret 2"}
    assert errors(john.ask("PUT", path, {"user": new}), 422) == {"old_password": ["can't be blank"]}
    wrong = {"user": {**new, "old_password": "wrong"}}
    assert errors(john.ask("PUT", path, wrong), 422) == {"old_password": ["is invalid"]}
    assert john.ask("PUT", path, {"user": {**new, "old_password": "secret 1"}}).status_code == 200
    assert cube.open(user={"login": "john", "password": "secret 2"}).status_code == 201


def test_nobody_changes_or_deletes_somebody_else(john, jane, application):
    for method in ("PUT", "DELETE"):
        path = f"/users/{jane.user.pk}"
        body = {"user": {"full_name": "x"}}
        assert errors(john.ask(method, path, body), 403) == {"base": ["Access denied"]}
        assert errors(application.ask(method, path, body), 403) == {
            "base": ["Forbidden. Need user."]
        }
        assert errors(john.ask(method, "/users/99999", body), 404) == NOT_FOUND
    assert User.objects.get(pk=jane.user.pk).full_name is None


def test_a_change_may_take_nobodys_name(john, jane):
    path = f"/users/{john.user.pk}"
    for said in ({"login": "jane"}, {"external_id": jane.user.uid}):
        [key] = said
        assert errors(john.ask("PUT", path, {"user": said}), 422) == {
            key: ["has already been taken"]
        }


# -- leaving


@pytest.mark.parametrize("by", ["id", "external"])
def test_whoever_leaves_takes_sessions_and_subscriptions_along(cube, person, phones, by):
    john = cube.of(person("john", external_id="crm-17"))
    again = cube.of(john.user)
    assert john.subscribe().status_code == 201
    phones.ring("install-1", user="crm-17")
    path = f"/users/{john.user.pk}" if by == "id" else "/users/external/crm-17"
    answer = john.ask("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert again.ask("GET", "/session").status_code == 401
    assert not Session.objects.filter(user=john.user.pk).exists()
    assert not User.objects.filter(pk=john.user.pk).exists()
    [alive] = DeviceToken.objects.reachable()
    assert alive.install.uid == "install-1"
    assert Install.objects.get(uid="install-1").user.anonymous


def test_a_guest_is_one_while_the_day_lasts(cube):
    session = cube.open(user={"guest": "1", "full_name": "Olof"}).json()["session"]
    guest = cube.of(User.objects.get(pk=session["user_id"]))
    assert user(guest.ask("GET", f"/users/{session['user_id']}"))["is_guest"] is True
