"""The OpenAPI page: every route described, and nothing fetched from elsewhere."""

import re
from pathlib import Path

import pytest

import gateway

HERE = Path(gateway.__file__).parent
BACKENDS = {
    "/channels": "get post",
    "/channels/{channel_id}": "delete get put",
    "/channels/{channel_id}/subscriptions": "delete post",
    "/notifications": "get post",
    "/notifications/{notification_id}": "delete get put",
    "/notifications/{notification_id}/install-opens": "get",
    "/notifications/{notification_id}/user-opens": "get",
    "/notifications/{notification_id}/why": "get",
    "/v1/messages/in-app": "get post",
    "/v1/messages/in-app/{message_id}": "delete get",
    "/v1/segments": "get post",
    "/v1/segments/preview": "post",
    "/v1/segments/{key}": "delete get put",
    "/v1/segments/{key}/count": "get",
    "/v1/webhooks": "get",
    "/v1/webhooks/events": "get",
    "/v1/webhooks/{key}/replay": "post",
    "/v1/templates/in-app": "get post",
    "/v1/templates/in-app/{uid}": "delete get put",
    "/v1/users/{uid}/attributes": "delete get put",
    "/v2/notifications": "post",
    "/v2/notifications/{notification_id}": "delete get",
    "/v2/users": "get",
    "/v2/users/{uid}": "get",
}
DEVICES = {
    "/v1/app-installs/{install_uid}": "put",
    "/v1/app-installs/{install_uid}/events": "post",
    "/v1/app-installs/{install_uid}/location": "put",
    "/v1/app-installs/{install_uid}/opens": "post",
    "/v1/app-installs/{install_uid}/push-token": "delete put",
    "/v1/app-installs/{install_uid}/user-id": "put",
    "/v1/app-installs/{uid}/channels": "get",
    "/v1/app-installs/{uid}/channels/subscriptions": "delete post put",
    "/v1/channels": "post",
    "/v1/users/{uid}/channels": "get",
    "/v1/users/{uid}/channels/subscriptions": "delete post put",
    "/v1/users/{user_uid}/messages": "get",
    "/v1/web/config": "get",
}
SESSIONS = {
    "/events": "get post",
    "/events/{event_id}": "delete get post put",
    "/events/{event_id}/status": "get",
    "/login": "delete post",
    "/session": "delete get",
    "/session/list": "delete",
    "/subscriptions": "get post",
    "/subscriptions/{subscription_id}": "delete",
    "/users": "get",
    "/users/{user_id}": "delete get put",
    "/users/by_email": "get",
    "/users/by_full_name": "get",
    "/users/by_login": "get",
    "/users/by_tags": "get",
    "/users/external/{external_id}": "delete get",
    "/users/v2": "get",
}
KEYED = {
    ("post", "/session"): None,
    ("post", "/users"): [{"sessionToken": []}, {"applicationKey": []}],
}
OPERATIONS = KEYED | {
    (method, path): [{key: []}]
    for key, routes in (("serverKey", BACKENDS), ("deviceKey", DEVICES), ("sessionToken", SESSIONS))
    for path, methods in routes.items()
    for method in methods.split()
}


@pytest.fixture
def schema(client, capsys):
    answer = client.get("/docs/openapi.json")
    assert answer.status_code == 200
    assert "arning" not in capsys.readouterr().err, "the schema is drawn without guessing"
    return answer.json()


def test_every_route_is_described_with_its_key_and_answers(schema):
    found = {
        (method, path): said
        for path, item in schema["paths"].items()
        for method, said in item.items()
    }
    assert set(found) == set(OPERATIONS)
    for operation, said in found.items():
        assert said.get("security") == OPERATIONS[operation]
        assert "401" in said["responses"]
        assert said["summary"]
    assert set(schema["components"]["securitySchemes"]) == {
        *("deviceKey", "serverKey", "sessionToken", "applicationKey")
    }


def test_a_send_is_described_by_the_fields_that_read_it(schema):
    body = schema["paths"]["/notifications"]["post"]["requestBody"]["content"]
    name = body["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    described = schema["components"]["schemas"][name]
    assert described["required"] == ["message", "title"] or described["required"] == [
        "title",
        "message",
    ]
    assert {"broadcast", "installIds", "schedule", "ios", "ttl"} <= set(described["properties"])


def test_the_page_allows_itself_only_its_own_files(client):
    answer = client.get("/docs/api/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = answer.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", html), "no inline script"
    assert not re.search(r"\son\w+=|\sstyle=|<style", html), "no inline handler or style"


def test_no_file_of_the_page_names_another_host(client):
    files = [*(HERE / "static").rglob("*.*"), *(HERE / "templates").rglob("*.*")]
    assert len(files) >= 3
    for path in files:
        assert "//" not in re.sub(r"(?m)^\s*//.*$", "", path.read_text()), path


@pytest.mark.parametrize("name", ["docs.js", "docs.css"])
def test_the_pages_files_are_served(client, name):
    html = client.get("/docs/api/").content.decode()
    [url] = re.findall(rf'"(/static/[^"]*{re.escape(name)})"', html)
    answer = client.get(url)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content)  # read to its end, it closes itself


@pytest.mark.parametrize(("path", "target"), [("/docs", "/docs/"), ("/admin", "/admin/")])
def test_a_forgotten_slash_is_forgiven_to_people(client, path, target):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_the_admin_asks_who_is_there(client, db):
    answer = client.get("/admin/")
    assert answer.status_code == 302
    assert "/admin/login/" in answer.headers["Location"]
    assert client.get(answer.headers["Location"]).status_code == 200
