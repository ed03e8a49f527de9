"""The pages of docs/, as a running gateway serves them."""

import re
from pathlib import Path

import pytest

from gateway.docs.library import FOLDER, SHELVES, shelves

PAGES = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.md"))


def test_every_page_stands_on_a_shelf_once():
    named = [page.name for shelf in shelves() for page in shelf.pages]
    assert sorted(named) == PAGES
    assert {name for names in SHELVES.values() for name in names} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_served_and_leads_only_to_what_is_there(client, name):
    answer = client.get(f"/docs/{name}/")
    html = answer.content.decode()

    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|\sstyle=|\son\w+=", html.partition("<body>")[2])
    for target in set(re.findall(r'(?:href|src)="(/docs/[^"]*)"', html)):
        path, _, anchor = target.partition("#")
        found = client.get(path)
        assert found.status_code == 200, f"{name} leads to {target}"
        if anchor:
            assert f'id="{anchor}"' in found.content.decode(), f"{name} leads to {target}"


@pytest.mark.parametrize(
    "name", ["nothing", "../README", "..%2fREADME", "adr", "files/../settings"]
)
def test_nothing_else_is_served(client, name):
    assert client.get(f"/docs/{name}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"), [("phones.png", 200), ("none.png", 404), ("operations.md", 404)]
)
def test_pictures_are_served_and_nothing_else(client, name, status):
    answer = client.get(f"/docs/files/{name}")
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["Content-Type"] == "image/png"


def test_the_contents_list_all_pages(client):
    html = client.get("/docs/").content.decode()
    assert html.count('<a href="/docs/adr/') >= len(list(Path(FOLDER / "adr").glob("*.md")))


def test_operations_have_examples_the_suite_replays(client):
    paths = client.get("/docs/openapi.json").json()["paths"]
    send = paths["/notifications"]["post"]
    asked = send["requestBody"]["content"]["application/json"]["examples"]
    assert asked["send-broadcast-curl"]["value"]["broadcast"] is True
    event = paths["/events"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert any("event" in one["value"] for one in event.values())
    blanks = re.findall(r'"\{\w+\}"', client.get("/docs/openapi.json").content.decode())
    assert blanks == []
