"""`manage.py import_kumulos`: files in the vendor's words, resumable, refused line by line."""

import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64encode
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.commands.activity import Seen
from crm.commands.imports import begin_import
from crm.commands.installs import AssociateUser, RegisterToken, TrackInstall
from crm.models import App, Channel, ChannelSubscription, DeviceToken, ImportRun, Install, User
from delivery.commands.record_events import DeviceEvent, record_events
from gateway.kumulos.importing import files, run

ROOT = Path(__file__).resolve().parents[2]

# seed 001, "List of users": the documented answer, word for word
PAGE = {
    "users": [
        {
            "identifier": "user-1",
            "attributes": {"attributeKey": "attributeValue"},
            "firstActive": "2020-10-20T08:00:00+00:00",
            "lastActive": "2020-11-20T08:00:00+00:00",
            "inAppEnabled": False,
            "createdAt": "2020-10-20T08:00:00+00:00",
            "updatedAt": "2020-10-20T08:12:00+00:00",
            "installs": [
                {
                    "id": "install-1",
                    "subscribedToPushNotifications": True,
                    "os": "Android",
                    "osVersion": "10",
                    "sdkType": "Xamarin",
                    "sdkVersion": "2.2.2",
                    "lastActive": "2020-12-09T12:00:00+00:00",
                    "appVersion": "id-1",
                    "countryIsoCode": "GB",
                    "timezone": "Africa/Algiers",
                    "locale": "US",
                    "deviceModel": "mia2",
                    "deviceName": "Xiaomi Mi A2",
                }
            ],
        }
    ],
    "totalUsers": 4,
    "currentPage": 1,
}


class Importer:
    """The command, with files of a test's own making."""

    def __init__(self, app, folder):
        self.app, self.folder = app, folder
        self.err = io.StringIO()

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def lines(self, *records, name="file.jsonl"):
        return self.file(name, "".join(json.dumps(record) + "\n" for record in records))

    def table(self, *rows, name="file.csv"):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return self.file(name, text.getvalue())

    def __call__(self, kind, path, *options):
        """Give the summary, and the code the command ends with."""
        out, code = io.StringIO(), 0
        command = ["import_kumulos", self.app.pk, kind, path, "--json", *options]
        try:
            call_command(*map(str, command), stdout=out, stderr=self.err)
        except CommandError as error:
            code = error.returncode
            self.err.write(f"{error}\n")
        return json.loads(out.getvalue() or "null"), code


@pytest.fixture
def importer(app, tmp_path):
    return Importer(app, tmp_path)


def users(count, *, start=0):
    return [{"identifier": f"user-{n}"} for n in range(start, start + count)]


# -- what the vendor's own answers become


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.json", json.dumps(PAGE, indent=4)),
        ("pages.json", json.dumps([PAGE, {"users": []}])),
        ("users.json", json.dumps(PAGE["users"])),
        ("pages.jsonl", json.dumps(PAGE) + "\n"),
        ("users.jsonl", json.dumps(PAGE["users"][0]) + "\n"),
        ("users.jsonl", "\ufeff\n" + json.dumps(PAGE["users"]) + "\n\n"),
    ],
)
def test_the_documented_answer_is_imported_and_read_back_as_it_was(
    importer, client, new_app, name, content
):
    summary, code = importer("users", importer.file(name, content))

    assert (summary["stored"], summary["refused"], code) == (1, 0, 0)
    answer = client.get(
        "/v2/users?currentPage=1&numberPerPage=50",
        headers={"authorization": basic(new_app)},
    ).json()
    [user] = answer["users"]
    [install] = user.pop("installs")
    [expected] = PAGE["users"]
    assert user == {k: v for k, v in expected.items() if k != "installs"}
    # without a token nobody can be pushed to, and no owner's name for a device is kept apart
    unlike = {"subscribedToPushNotifications": False, "deviceName": "mia2"}
    assert install == {**expected["installs"][0], **unlike}


def basic(new_app):
    return "Basic " + b64encode(f"{new_app.api_key}:{new_app.server_key}".encode()).decode()


def test_a_user_without_attributes_is_as_of_the_file_too(importer):
    user = {**PAGE["users"][0], "attributes": {}}

    importer("users", importer.lines(user))

    assert User.objects.get().updated_at.isoformat() == user["updatedAt"]


def test_an_anonymous_user_is_known_by_their_installs_name(importer):
    said = {"identifier": "install-1", "installs": [{"id": "install-1"}]}

    importer("users", importer.lines(said))

    assert User.objects.get(app=importer.app).anonymous is True


HEX = "AB" * 32
BROWSER = '{"endpoint": "https://push.example/1", "keys": {}}'
ADDRESSES = [
    ({"pushType": 1, "token": HEX, "iosTokenType": 2}, ("apns", "sandbox", "", HEX.lower())),
    (
        {"pushType": "1", "token": HEX, "bundleId": "com.example.app"},
        ("apns", "production", "com.example.app", HEX.lower()),
    ),
    ({"transport": "fcm", "token": "a:APA91b"}, ("fcm", "production", "", "a:APA91b")),
    ({"pushType": 3, "token": BROWSER}, ("web", "production", "", "https://push.example/1")),
    ({"transport": "hcm", "token": "h"}, ("hcm", "production", "", "h")),
]


@pytest.mark.parametrize(("told", "address"), ADDRESSES)
def test_an_address_is_read_as_if_its_device_had_registered_it(importer, told, address):
    importer("installs", importer.lines({"id": "phone", **told}))

    [found] = DeviceToken.objects.values_list("transport", "environment", "topic", "value")
    assert found == address
    guessed = address[0] == "apns" and "iosTokenType" not in told
    assert DeviceToken.objects.get().environment_known is not guessed


def test_whoever_was_not_subscribed_is_not_pushed_to(importer):
    said = {"id": "phone", "pushType": 2, "token": "t", "subscribedToPushNotifications": False}

    importer("installs", importer.lines(said))

    assert DeviceToken.objects.get().enabled is False


def test_an_install_in_a_table_has_its_device_and_its_user(importer):
    importer(
        "installs",
        importer.table(
            ["id", "userId", "os", "sdkType", "timezone", "countryIsoCode", "appVersion"],
            ["phone", "mark", "ios", "Swift", "Europe/Rome", "it", "1.10"],
            ["box", "", "KaiOS", "Own", "Nowhere/None", "", ""],
        ),
    )

    phone, box = Install.objects.select_related("user").order_by("-uid")
    assert (phone.user.uid, phone.os, phone.sdk_type) == ("mark", "iOS", "Swift")
    assert (phone.timezone, phone.country, phone.app_version) == ("Europe/Rome", "IT", "1.10")
    assert (box.user.uid, box.os, box.sdk_type, box.timezone) == ("box", "KaiOS", "Own", "")


def test_users_in_a_table_have_their_objects_as_json_in_a_cell(importer):
    attributes = {"plan": "gold", "a,b": 'say "hi"', "n": None}
    importer(
        "users",
        importer.table(
            ["identifier", "attributes", "tags", "createdAt", "inAppEnabled", "unknown"],
            ["mark", json.dumps(attributes), '["vip"]', "2020-10-20 08:00:00", "TRUE", "x"],
            ["line\nbreak", "", "", "", "", ""],
        ),
    )

    mark = User.objects.get(uid="mark")
    assert (mark.attributes, mark.tags, mark.in_app_enabled) == (attributes, ["vip"], True)
    assert mark.created_at.isoformat() == "2020-10-20T08:00:00+00:00"
    assert User.objects.filter(uid="line\nbreak").exists()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_may_begin_with_a_spreadsheets_mark(importer, mark):
    path = importer.file("t.csv", mark + "identifier\r\nÅsa\r\n\r\n".encode())

    assert importer("users", path)[0]["stored"] == 1
    assert User.objects.get().uid == "Åsa"


def test_channels_and_who_is_in_them(importer, phones):
    phones.install("phone", user="mark")
    channels = importer.lines(
        {"uuid": "news", "name": "News", "showInPortal": True, "meta": {"k": 1}},
        {"uuid": "quiet", "meta": None},
        name="channels.jsonl",
    )
    subscriptions = importer.table(
        ["channelUuid", "installId", "userId"],
        ["news", "phone", ""],
        ["news", "", "mark"],
        ["quiet", "phone", "mark"],
        name="subscriptions.csv",
    )

    importer("channels", channels)
    assert importer("subscriptions", subscriptions)[0]["stored"] == 3

    news = Channel.objects.get(uuid="news")
    assert (news.name, news.show_in_portal, news.meta) == ("News", True, {"k": 1})
    assert ChannelSubscription.objects.count() == 4


# -- what is refused


REFUSALS = [
    ("users", {}, ["identifier"]),
    ("users", [[]], ["error"]),
    ("users", {"identifier": 7, "attributes": [], "createdAt": 1}, None),
    ("users", {"identifier": "u" * 513}, ["identifier"]),
    ("users", {"identifier": "u\0"}, ["error"]),
    ("users", {"identifier": "u", "attributes": "{"}, ["attributes"]),
    ("users", {"identifier": "u", "inAppEnabled": "perhaps", "lastActive": "soon"}, None),
    ("users", {"identifier": "u", "createdAt": "9999-12-31T23:59:59-10:00"}, ["createdAt"]),
    ("users", {"identifier": "u", "tags": [""]}, ["tags"]),
    ("users", {"identifier": "u", "tags": ["t" * 256]}, ["tags"]),
    ("users", {"identifier": "u", "installs": [{"id": "i"}, {"os": 1}, 5]}, None),
    ("installs", {"id": "i" * 256}, ["id"]),
    ("installs", {"id": "i", "token": "t"}, ["pushType"]),
    ("installs", {"id": "i", "token": "t/../x", "pushType": 1}, ["token"]),
    ("installs", {"id": "i", "token": "t", "pushType": 9}, ["token"]),
    ("installs", {"id": "i", "token": "t", "pushType": [1]}, ["token"]),
    ("channels", {"uuid": "c", "showInPortal": True}, ["name"]),
    ("channels", {"uuid": "c", "meta": [1]}, ["meta"]),
    ("subscriptions", {"channelUuid": "news"}, ["installId"]),
    ("subscriptions", {"channelUuid": "nix", "userId": "nix"}, ["channelUuid", "userId"]),
]
BAD_KEYS = {
    2: ["identifier", "attributes", "createdAt"],
    6: ["lastActive", "inAppEnabled"],
    10: ["installs[1].os", "installs[1].id", "installs[2]"],
}


@pytest.mark.parametrize("number", range(len(REFUSALS)))
def test_every_bad_key_of_a_refused_line_is_named(importer, number):
    kind, record, keys = REFUSALS[number]
    errors = importer.folder / "errors.jsonl"

    summary, code = importer(kind, importer.lines(record), "--errors", errors)

    assert (summary["stored"], summary["refused"], code) == (0, 1, 1)
    refusal = json.loads(errors.read_text())
    assert refusal.pop("line") == 1
    refusal.pop("item", None)
    assert set(refusal) == {"error", *(keys or BAD_KEYS[number])}
    assert not User.objects.exists()
    assert not DeviceToken.objects.exists()


def test_a_refused_line_costs_no_other(importer):
    path = importer.lines(*users(3), {"identifier": ""}, *users(3, start=3), [{"x": 1}, *users(1)])
    errors = importer.folder / "errors.jsonl"

    summary, code = importer("users", path, "--errors", errors, "--batch", 2)

    assert (summary["lines_read"], summary["stored"], summary["refused"]) == (8, 7, 2)
    assert code == 1
    said = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [(s["line"], s.get("item")) for s in said] == [(4, None), (8, 1)]
    assert "line 8, item 1: identifier: This field is required." in importer.err.getvalue()


def test_a_bad_user_of_a_page_costs_no_other(importer):
    deep = json.loads("[" * 100 + "]" * 100)
    bad = [
        {"identifier": "nul", "attributes": {"a": "\0"}},
        {"identifier": "deep", "attributes": {"a": deep}},
        7,
    ]
    page = {"users": [*users(40), *bad, *users(40, start=40)]}
    errors = importer.folder / "errors.jsonl"

    for name in ("page.jsonl", "page.json"):
        summary, _ = importer(
            "users", importer.file(name, json.dumps(page)), "--restart", "--errors", errors
        )
        assert (summary["stored"], summary["refused"]) == (80, 3)
        said = [json.loads(line) for line in errors.read_text().splitlines()]
        assert [(s["line"], s["item"]) for s in said] == [(1, 41), (1, 42), (1, 43)]


def test_only_the_first_refused_lines_are_shown(importer):
    summary, _ = importer("users", importer.lines(*[{}] * 50))

    assert summary["refused"] == 50
    assert importer.err.getvalue().count("line ") == 20


def test_broken_lines_are_refused_where_they_stand(importer):
    text = b'{"identifier": "a"}\n{"identifier": \n\xff\n{"identifier": "b"}\n' + b"[" * 2000

    assert importer("users", importer.file("x.jsonl", text))[0]["refused"] == 3
    assert set(User.objects.values_list("uid", flat=True)) == {"a", "b"}


def test_broken_rows_are_refused_where_they_stand(importer):
    rows = [
        b"identifier,attributes",
        b"a,",
        b"b",
        b"c,,",
        b"\xff,",
        b'"d"e,',
        b'"' + b"f" * (files.LONGEST_CELL + 1) + b'",',
        b"g,",
        b'"h',
    ]
    errors = importer.folder / "errors.jsonl"

    importer("users", importer.file("x.csv", b"\n".join(rows)), "--errors", errors)

    assert set(User.objects.values_list("uid", flat=True)) == {"a", "g"}
    said = [json.loads(line)["line"] for line in errors.read_text().splitlines()]
    assert said == [3, 4, 5, 6, 7, 9]


def test_the_broken_end_of_an_array_is_refused_and_the_rest_is_kept(importer):
    path = importer.file("x.json", '[{"identifier": "a"}, {"identifier": "b"}, {"identi')

    summary, code = importer("users", path)

    assert (summary["stored"], summary["refused"], code) == (2, 1, 1)


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("x.txt", "", []),
        ("x.csv", "a,a\n", []),
        ("x.csv", "a,\n", []),
        ("x.jsonl", "{}", ["--batch", "0"]),
        ("x.jsonl", "{}", ["--errors", "/no/such/folder/x"]),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(importer, name, content, options):
    summary, code = importer("users", importer.file(name, content), *options)

    assert (summary, code) == (None, 2)
    assert len(importer.err.getvalue().splitlines()) == 1


def test_an_app_or_a_file_that_is_not_there_is_said_in_a_line(importer, tmp_path):
    assert importer("users", tmp_path / "none.jsonl") == (None, 2)
    importer.app.pk = 0
    assert importer("users", importer.lines({})) == (None, 2)


def test_a_line_without_end_is_no_line(importer, monkeypatch):
    monkeypatch.setattr(files, "LONGEST", 100)

    assert importer("users", importer.lines({"identifier": "u" * 100}))[1] == 2
    assert importer("users", importer.file("x.json", '{"a": "' + "u" * (1 << 19)))[1] == 1


# -- again, and after an end in the middle


def test_a_file_imported_already_changes_nothing_and_says_so(importer):
    path = importer.lines(*users(3), {})
    importer("users", path)
    User.objects.all().delete()

    summary, code = importer("users", path)

    assert (summary["already"], summary["stored"], code) == (True, 3, 1)
    assert not User.objects.exists()
    assert importer("users", path, "--restart")[0]["stored"] == 3
    assert User.objects.count() == 3


def test_a_rehearsal_stores_nothing_and_finds_all_that_is_wrong(importer):
    importer("channels", importer.lines({"uuid": "news"}, name="channels.jsonl"))
    path = importer.lines({"channelUuid": "news", "userId": "nobody"})

    summary, code = importer("subscriptions", path, "--dry-run")

    assert (summary["refused"], summary["dry_run"], code) == (1, True, 1)
    assert not ImportRun.objects.filter(kind="subscriptions").exists()
    assert importer("users", importer.lines(*users(9)), "--dry-run")[0]["stored"] == 9
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.json"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_an_import_goes_on_where_it_ended(importer, name, batch):
    records = [*users(4), {"identifier": ""}, *users(4, start=4)]
    if name == "x.csv":
        rows = [[r["identifier"], f"a\n{n}"] for n, r in enumerate(records)]
        path = importer.table(["identifier", "other"], *rows, name=name)
    elif name == "x.json":
        path = importer.file(name, json.dumps(records))
    else:
        path = importer.lines(*records)
    errors = importer.folder / "errors.jsonl"
    ends_after(importer, path, chunks=2, batch=batch, errors=errors)
    half = User.objects.count()

    summary, code = importer("users", path, "--errors", errors)

    assert 0 < half < 8
    assert (summary["stored"], summary["refused"], code) == (8, 1, 1)
    assert User.objects.count() == 8
    assert len(errors.read_text().splitlines()) == 1


def ends_after(importer, path, *, chunks, batch, errors):
    """Import and end in the middle, as by a power cut: some is stored, some only complained of."""

    def note(refusals):
        with errors.open("a") as lines:
            lines.writelines(json.dumps(r.as_json()) + "\n" for r in refusals)

    begun = begin_import(
        app=importer.app, kind="users", digest=files.digest_of(path), file_name=path.name
    )
    task = run.Import(
        app=importer.app,
        kind="users",
        path=path,
        form=path.suffix[1:],
        batch=batch,
        note=note,
    )
    positions = task.go_on(begun)
    for _ in range(chunks):
        next(positions)
    positions.close()
    note([run.Refusal(line=99, reasons={"": ["of a chunk never stored"]})])
    with errors.open("a") as lines:
        lines.write('{"line": 1')  # the power went while it was written


@pytest.mark.django_db(transaction=True)
def test_an_import_killed_again_and_again_ends_with_the_same_rows(app, tmp_path):
    path = tmp_path / "users.jsonl"
    record = '{"identifier": "user-%d", "attributes": {"n": %d}}\n'
    path.write_text("".join(record % (n, n) for n in range(40_000)))
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    command = ["import_kumulos", app.pk, "users", path, "--batch", 200]
    program = [sys.executable, "manage.py", *map(str, command)]
    environ = {**os.environ, "DATABASE_URL": url}

    def stored():
        found = ImportRun.objects.filter(app=app).first()
        return found.stored if found else 0

    for _ in range(2):
        before = stored()
        child = subprocess.Popen(program, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while stored() == before and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert before < stored() < 40_000
    subprocess.run(program, cwd=ROOT, env=environ, check=True, stderr=subprocess.DEVNULL)

    assert stored() == User.objects.filter(app=app).count() == 40_000
    assert User.objects.get(app=app, uid="user-39999").attributes == {"n": 39_999}


@pytest.mark.django_db(transaction=True)
def test_devices_report_while_they_are_imported(app, tmp_path):
    importer, failures, over = Importer(app, tmp_path), [], threading.Event()
    path = importer.lines(
        *(
            {
                "identifier": f"user-{n}",
                "attributes": {"n": n},
                "installs": [{"id": f"phone-{n}", "pushType": 2, "token": f"old-{n}"}],
            }
            for n in range(60)
        )
    )

    def report(seed):
        chance = random.Random(seed)
        with closing(connection):
            while not over.is_set():
                n = chance.randrange(60)
                effects = [
                    AssociateUser(user_uid=f"user-{chance.randrange(60)}", attributes={"n": -1}),
                    RegisterToken(
                        transport="fcm", environment="production", topic="", value=f"old-{n}"
                    ),
                    TrackInstall(os="Android"),
                    Seen(),
                ]
                events = [
                    DeviceEvent(
                        uuid=uuid4(),
                        type="live",
                        happened_at=timezone.now(),
                        user_uid=None,
                        data=None,
                        effect=effect,
                    )
                    for effect in effects
                ]
                try:
                    record_events(app=app, install_uid=f"phone-{n}", events=events)
                except Exception as error:  # noqa: BLE001 - the test looks at it
                    failures.append(error)

    threads = [threading.Thread(target=report, args=(n,), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            assert importer("users", path, "--restart", "--batch", 20)[1] == 0
    finally:
        over.set()
        for thread in threads:
            thread.join(20)

    assert failures == []
    owners = DeviceToken.objects.filter(state="alive").values_list("value", "install__uid")
    assert sorted(owners) == sorted((f"old-{n}", f"phone-{n}") for n in range(60))


# -- pieces


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 18])
def test_an_array_is_read_the_same_in_blocks_of_any_size(monkeypatch, size):
    monkeypatch.setattr(files, "BLOCK", size)
    records = [{"identifier": "Åsa ]},{[", "attributes": {"deep": [{"a": '\\"'}], "n": 10**19}}, {}]
    text = json.dumps(records, ensure_ascii=False, indent=2).encode()

    pieces = list(files.read_array(io.BytesIO(b"\xef\xbb\xbf" + text), 0))

    assert [piece.value for piece in pieces] == records
    assert list(files.read_array(io.BytesIO(text), 1)) == pieces[1:]


leaves = st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text()
values = st.recursive(
    leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
)
names = st.text(min_size=1, max_size=9)
device = st.fixed_dictionaries(
    {"id": names | values},
    optional={
        "token": names | values,
        "pushType": st.integers(0, 6) | values,
        **dict.fromkeys(["os", "osVersion", "lastActive", "timezone", "deviceModel"], values),
    },
)
person = st.fixed_dictionaries(
    {"identifier": names | values},
    optional={
        "installs": st.lists(device | values, max_size=3) | values,
        "attributes": st.dictionaries(st.text(), values, max_size=3) | values,
        **dict.fromkeys(["tags", "createdAt", "inAppEnabled", "lastActive"], values),
    },
)


class Anything(TestCase):
    @settings(max_examples=150, deadline=None)
    @given(people=st.lists(person, max_size=4))
    def test_any_json_value_is_stored_or_refused(self, people):
        app = App.objects.create(api_key="app")
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            Path(file.name).write_text("".join(json.dumps(p) + "\n" for p in people))
            out = io.StringIO()
            command = ["import_kumulos", str(app.pk), "users", file.name, "--json"]
            with suppress(CommandError):
                call_command(*command, stdout=out, stderr=io.StringIO())

        summary = json.loads(out.getvalue())
        assert summary["stored"] + summary["refused"] == len(people)
        assert bool(summary["stored"]) == User.objects.filter(app=app).exists()
