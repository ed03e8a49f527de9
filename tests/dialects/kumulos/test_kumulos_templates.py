"""In-app templates: stored, replaced, deleted, and given back equal (contracts/kumulos §5.5)."""

import json
import re

import pytest
from kumulos_calls import refused

from templates_app.models import Template

PATH = "/v1/templates/in-app"
ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+0000")


@pytest.fixture
def create(backend):
    def ask(uid="welcome", **said):
        body = {"name": "Welcome", "uid": uid, "content": {"ver": 1}, **said}
        return backend.ask("POST", PATH, body)

    return ask


@pytest.fixture
def replace(backend):
    def ask(path_uid="welcome", **said):
        body = {"name": "Welcome", "content": {"ver": 1}, **said}
        return backend.ask("PUT", f"{PATH}/{path_uid}", body)

    return ask


def read(backend, uid="welcome"):
    answer = backend.ask("GET", f"{PATH}/{uid}")
    assert answer.status_code == 200, answer.content
    return answer.json()


# -- create


def test_the_answer_has_the_documented_keys_and_no_id(create, app):
    answer = create(content={"ver": 1, "text": "Hi {{name}}"})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert ZONED.fullmatch(body["updatedAt"])
    assert list(body.items()) == [
        ("name", "Welcome"),
        ("uid", "welcome"),
        ("content", {"ver": 1, "text": "Hi {{name}}"}),
        ("dynamicContentTags", ["name"]),
        ("updatedAt", body["updatedAt"]),
        ("createdAt", body["updatedAt"]),
        ("appId", app.pk),
    ]


CONTENT = b"""{
    "ver": 1, "frame": {"type": "fullscreen", "closeButton": null,
    "backgroundLayers": [{"type": "color", "attrs": {"alpha": 1.0, "dim": 0.25, "off": 0}}]},
    "numbers": [1.0, 1, -1, 0.1, 1e-7, 1.5e-300, 9999999999999998.0, 12345678901234567890,
                -9223372036854775808, 18446744073709551615, 5e-324, true],
    "empty": [{}, [], "", null, false], "": {"": 0},
    "text": "\\u00e9\\ud83d\\udc4b\\u2028 </script>"
}"""


def spelled(content):
    """Tell 1 from 1.0 from true, which Python calls equal."""
    return json.dumps(content, sort_keys=True)


def test_content_comes_back_equal_nulls_and_kinds_of_numbers_included(backend):
    body = b'{"name":"n","uid":"u","content":' + CONTENT + b"}"
    answer = backend.ask("POST", PATH, body)
    assert answer.status_code == 201, answer.content
    assert spelled(answer.json()["content"]) == spelled(json.loads(CONTENT))
    assert spelled(read(backend, "u")["content"]) == spelled(json.loads(CONTENT))


@pytest.mark.parametrize(
    "number",
    [b"1e16", b"1e22", b"-1e300", b"18446744073709551616", b"123456789012345678901234567890"],
)
def test_a_number_that_would_change_is_refused(backend, number):
    body = b'{"name":"n","uid":"u","content":{"a":[' + number + b"]}}"
    refused(backend.ask("POST", PATH, body), "content")


def test_a_number_beyond_all_numbers_is_no_json(backend):
    refused(backend.ask("POST", PATH, b'{"name":"n","uid":"u","content":{"a":1e400}}'))


def test_tags_are_named_once_in_document_order(create):
    content = {"z": "{{b}} {{ a }} {{b}}", "a": [{"{{key}}": "{{c d}}"}]}
    assert create(content=content).json()["dynamicContentTags"] == ["b", "a", "c d"]


@pytest.mark.parametrize("uid", ["a", "A-1", "---", "0", "x" * 255])
def test_a_uid_is_letters_digits_and_dashes(create, uid):
    answer = create(uid)
    assert answer.status_code == 201, answer.content
    assert answer.json()["uid"] == uid


DEEP: dict = {}
for _ in range(100):
    DEEP = {"a": DEEP}

WRONG = {
    "name": [None, "", 1, True, [], {}, "x" * 256, "a\0b"],
    "uid": [None, "", 1, True, [], {}, "x" * 256, "a b", "a_b", "a/b", "é", "a\n", "a\0", "\u0661"],
    "content": [None, "", "{}", 1, True, [], [{}], {"a": "\0"}, {"\0": 1}, DEEP],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_value_of_the_wrong_kind_is_refused_under_its_key(create, replace, key, value):
    refused(create(**{key: value}), key)
    assert not Template.objects.exists()
    create()
    refused(replace(**{key: value}), key)
    assert Template.objects.get().updated_at == Template.objects.get().created_at


def test_every_missing_key_is_named_at_once(backend):
    assert refused(backend.ask("POST", PATH, {}), "name", "uid", "content")["error"] == (
        "name is required"
    )
    refused(backend.ask("POST", PATH, {"uid": "a b", "content": 1}), "name", "uid", "content")


def test_a_taken_uid_is_refused(create):
    create()
    refused(create(name="Second"), "uid")
    assert Template.objects.get().name == "Welcome"


def test_two_apps_may_use_one_uid(create, other_backend):
    create()
    body = {"name": "Theirs", "uid": "welcome", "content": {}}
    assert other_backend.ask("POST", PATH, body).status_code == 201
    assert read(other_backend)["name"] == "Theirs"


# -- replace


def test_replacing_answers_the_new_template(backend, create, replace):
    created = create().json()
    answer = replace(uid="welcome", name="New", content={"t": "{{x}}"})
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert list(body) == list(created)
    assert (body["name"], body["content"], body["dynamicContentTags"]) == (
        "New",
        {"t": "{{x}}"},
        ["x"],
    )
    assert body["createdAt"] == created["createdAt"]
    assert read(backend) == body


def test_without_a_uid_a_template_keeps_its_own(create, replace):
    create()
    assert replace().json()["uid"] == "welcome"


def test_a_different_uid_renames(backend, create, replace):
    create()
    assert replace(uid="hello").json()["uid"] == "hello"
    assert read(backend, "hello")["name"] == "Welcome"
    assert backend.ask("GET", f"{PATH}/welcome").status_code == 404


def test_renaming_to_a_taken_uid_is_refused(create, replace):
    create()
    create("other")
    refused(replace(uid="other", name="Changed"), "uid")
    assert not Template.objects.filter(name="Changed").exists()


def test_a_replacement_is_whole(create, backend):
    create()
    refused(backend.ask("PUT", f"{PATH}/welcome", {}), "name", "content")


def test_an_unknown_template_is_404_whatever_the_body_says(backend):
    for body in ({"name": "n", "content": {}}, {}, b"{"):
        answer = backend.ask("PUT", f"{PATH}/nobody", body)
        assert answer.status_code == 404, answer.content
        assert list(answer.json()) == ["error"]
    assert not Template.objects.exists()


# -- delete


def test_a_deleted_template_is_gone(backend, create):
    create()
    answer = backend.ask("DELETE", f"{PATH}/welcome")
    assert (answer.status_code, answer.content) == (204, b"")
    assert backend.ask("DELETE", f"{PATH}/welcome").status_code == 404
    assert create().status_code == 201


# -- read, an addition


def test_templates_are_listed_as_they_were_created(backend, create):
    for uid in ("c", "a", "b"):
        create(uid)
    body = backend.ask("GET", PATH).json()
    assert list(body) == ["templates", "totalTemplates", "currentPage"]
    assert [one["uid"] for one in body["templates"]] == ["c", "a", "b"]
    assert (body["totalTemplates"], body["currentPage"]) == (3, 1)
    assert body["templates"][0] == read(backend, "c")
    page = backend.ask("GET", f"{PATH}?currentPage=2&numberPerPage=2").json()
    assert [one["uid"] for one in page["templates"]] == ["b"]
    assert (page["totalTemplates"], page["currentPage"]) == (3, 2)
    assert backend.ask("GET", f"{PATH}?currentPage=9").json()["templates"] == []
    refused(
        backend.ask("GET", f"{PATH}?currentPage=0&numberPerPage=x"), "currentPage", "numberPerPage"
    )


# -- whose


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("uid", ["welcome", "%00", "a%2Fb", "x" * 3000, "%FF"])
def test_what_is_not_this_apps_is_404(create, other_backend, method, uid):
    create()
    body = {"name": "n", "content": {}}
    answer = other_backend.ask(method, f"{PATH}/{uid}", body)
    assert answer.status_code == 404, answer.content
    assert other_backend.ask("GET", PATH).json()["templates"] == []
    assert Template.objects.get().name == "Welcome"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PATH), ("POST", PATH), *((m, f"{PATH}/a") for m in ("GET", "PUT", "DELETE"))],
)
def test_only_the_server_key_opens_templates(device, method, path):
    answer = device.ask(method, path, b"{")
    assert answer.status_code == 401, answer.content
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", PATH), ("DELETE", PATH), ("POST", f"{PATH}/a"), ("PATCH", f"{PATH}/a")],
)
def test_other_methods_are_405(backend, method, path):
    assert backend.ask(method, path, {}).status_code == 405
