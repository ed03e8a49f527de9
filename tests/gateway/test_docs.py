"""The OpenAPI page: every route described, and nothing fetched from elsewhere."""

import re
from contextlib import closing
from pathlib import Path

import pytest

import gateway

HERE = Path(gateway.__file__).parent
OPERATIONS = {
    ("post", "/notifications"),
    ("get", "/notifications/{notification_id}/install-opens"),
    ("get", "/notifications/{notification_id}/user-opens"),
    ("post", "/v1/app-installs/{install_uid}/events"),
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
    assert set(found) == OPERATIONS
    for (_, path), said in found.items():
        key = "deviceKey" if path.startswith("/v1/") else "serverKey"
        assert said["security"] == [{key: []}]
        assert "401" in said["responses"]
        assert said["summary"]
    assert set(schema["components"]["securitySchemes"]) == {"deviceKey", "serverKey"}


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
    answer = client.get("/docs/")
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
    html = client.get("/docs/").content.decode()
    [url] = re.findall(rf'"(/static/[^"]*{re.escape(name)})"', html)
    answer = client.get(url)
    with closing(answer):
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)


@pytest.mark.parametrize(("path", "target"), [("/docs", "/docs/"), ("/admin", "/admin/")])
def test_a_forgotten_slash_is_forgiven_to_people(client, path, target):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_the_admin_asks_who_is_there(client, db):
    answer = client.get("/admin/")
    assert answer.status_code == 302
    assert "/admin/login/" in answer.headers["Location"]
    assert client.get(answer.headers["Location"]).status_code == 200
