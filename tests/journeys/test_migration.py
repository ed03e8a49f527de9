"""A whole customer moves in: files in, everything a backend does, every count exact."""

import csv
import hashlib
import json
import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import pytest

from devstack.place import ROOT
from tests.journeys.stack import wait_until

PEOPLE, DEVICES, CHANNELS = 300, 400, 5
SIGNED_IN = 360  # devices; those after them are their anonymous users'
NEW_YORK = "America/New_York"
ZONES = ["Europe/Rome", "Asia/Tokyo", NEW_YORK, None]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def moment(hours):
    return (BEGAN + timedelta(hours=hours)).isoformat()


class Customer:
    """What they had at the other place, and what follows from it."""

    def __init__(self, topic):
        self.topic = topic
        self.users = [self._user(n) for n in range(PEOPLE)]
        self.installs = [self._install(n) for n in range(DEVICES)]
        self.tokens = {i["id"]: self._token(n) for n, i in enumerate(self.installs) if n % 20 != 7}
        self.channels = [
            {
                "uuid": f"channel-{n}",
                "name": f"Channel {n}",
                "showInPortal": n < 3,
                "meta": {"n": n},
            }
            for n in range(CHANNELS - 1)
        ] + [{"uuid": "channel-4"}]
        self.subscriptions = [
            *((f"channel-{n % 3}", i["id"], "") for n, i in enumerate(self.installs) if n % 5 == 0),
            *(
                (f"channel-{n % 4}", "", u["identifier"])
                for n, u in enumerate(self.users)
                if n % 7 == 0
            ),
        ]

    def _user(self, n):
        return {
            "identifier": f"user-{n}@example.com",
            "attributes": {
                "plan": ["gold", "free", "trial"][n % 3],
                "age": n % 80,
                "æ": [None, 1.5],
            },
            "firstActive": moment(n),
            "lastActive": moment(n + 500),
            "inAppEnabled": n % 2 == 0,
            "createdAt": moment(n),
            "updatedAt": moment(n + 300),
        }

    def _install(self, n):
        ios = n % 2 == 0
        return {
            "id": str(uuid5(NAMESPACE_URL, f"install-{n}")).upper() if ios else f"install-{n}",
            "userId": self.users[n % PEOPLE]["identifier"] if n < SIGNED_IN else None,
            "subscribedToPushNotifications": n % 25 != 3,
            "os": "iOS" if ios else "Android",
            "osVersion": "17.1" if ios else "14",
            "sdkType": "Swift" if ios else "Android/Java",
            "sdkVersion": "10.0.0",
            "lastActive": moment(n + 600),
            "appVersion": f"1.{n % 12}",
            "countryIsoCode": "IT",
            "timezone": ZONES[n % 4],
            "locale": "it-IT",
            "deviceModel": "iPhone15,2" if ios else "Pixel 8",
        }

    def _token(self, n):
        seed = hashlib.sha512(str(n).encode())
        if n % 2 == 0:
            return {"pushType": 1, "token": seed.hexdigest()[:64], "bundleId": self.topic}
        return {"pushType": 2, "token": urlsafe_b64encode(seed.digest()).decode().rstrip("=")}

    # -- who is meant

    def reachable(self, installs):
        return {
            self.tokens[i["id"]]["token"]
            for i in installs
            if i["id"] in self.tokens and i["subscribedToPushNotifications"]
        }

    def of_users(self, uids):
        return [i for i in self.installs if i["userId"] in uids]

    def in_channels(self, *uuids):
        ids = {install for uuid, install, _ in self.subscriptions if uuid in uuids}
        people = {user for uuid, _, user in self.subscriptions if uuid in uuids and user}
        return [i for i in self.installs if i["id"] in ids or i["userId"] in people]

    def on_plan(self, plan):
        on = {u["identifier"] for u in self.users if u["attributes"]["plan"] == plan}
        return self.of_users(on)


@pytest.fixture
def customer(stack):
    return Customer(stack.simulator.facts["apns"]["topic"])


@pytest.fixture
def load(stack):
    """Run the command as an operator does; give its exit code and summary."""

    def run(kind, path, *options):
        command = ["import_kumulos", stack.app["id"], kind, path, "--json", *options]
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, command)],
            cwd=ROOT,
            env=stack.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def write_files(customer, folder):
    """Write what a leaving customer has: the CRM's pages, and tables of their own."""
    with (folder / "users.jsonl").open("w") as pages:
        for first in range(0, PEOPLE, 100):
            some = customer.users[first : first + 100]
            users = [
                {**u, "installs": without_owner(customer.of_users([u["identifier"]]))} for u in some
            ]
            page = {"users": users, "totalUsers": PEOPLE, "currentPage": first // 100 + 1}
            pages.write(json.dumps(page) + "\n")
    with (folder / "installs.csv").open("w", newline="", encoding="utf-8-sig") as file:
        columns = [*customer.installs[0], "pushType", "token", "bundleId"]
        table = csv.DictWriter(file, columns)
        table.writeheader()
        for install in customer.installs:
            table.writerow({**install, **customer.tokens.get(install["id"], {})})
    (folder / "channels.json").write_text(json.dumps(customer.channels, indent=2))
    with (folder / "subscriptions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["channelUuid", "installId", "userId"])
        table.writerows(customer.subscriptions)
        table.writerow(["channel-9", "nobody", ""])


def without_owner(installs):
    return [{k: v for k, v in i.items() if k != "userId"} for i in installs]


def landed(stack, notification):
    """Give the addresses the providers took this notification for, each as often as it came."""
    records = stack.control.get("/received?limit=100000")["records"]
    mine = [r for r in records if r["notification_id"] == notification and r["accepted"]]
    return sorted(record["token"] for record in mine)


def test_a_whole_customer_moves_in_and_every_count_is_exact(stack, customer, load, tmp_path):
    write_files(customer, tmp_path)

    for kind, name, stored in [
        ("users", "users.jsonl", PEOPLE),
        ("installs", "installs.csv", DEVICES),
        ("channels", "channels.json", CHANNELS),
        ("subscriptions", "subscriptions.csv", len(customer.subscriptions)),
    ]:
        errors = tmp_path / "errors.jsonl"
        refused = int(kind == "subscriptions")
        code, summary = load(kind, tmp_path / name, "--errors", errors)
        assert (code, summary["stored"], summary["refused"]) == (refused, stored, refused)
        assert load(kind, tmp_path / name)[1]["already"]
    [line] = errors.read_text().splitlines()
    said = json.loads(line)
    assert (said["line"], said["channelUuid"], said["installId"]) == (
        len(customer.subscriptions) + 2,
        ["Is not known."],
        ["Is not known."],
    )

    local = send_local(stack)
    broadcast = check_targets(stack, customer)
    check_opens(stack, customer, broadcast)
    check_crm(stack, customer)
    check_local(stack, customer, local)


# -- each kind of target


def check_targets(stack, customer):
    """Send to each kind of target and give the id of the broadcast."""
    some = customer.installs[10:60]
    some_users = [u["identifier"] for u in customer.users[:25]]
    left_out = [i["id"] for i in customer.in_channels("channel-0")[:8]]
    gold = new_segment(stack, "gold", "gold", expected=customer.on_plan("gold"), customer=customer)
    in_both = [i for i in customer.on_plan("gold") if i in customer.in_channels("channel-1")]

    broadcast = check_send(stack, {"broadcast": True}, customer.reachable(customer.installs))
    for target, installs in [
        ({"installIds": [i["id"] for i in some] + ["nobody"]}, some),
        ({"userIds": [*some_users, "nobody"]}, customer.of_users(some_users)),
        (
            {"channelUuids": ["channel-0", "channel-3", "channel-4"]},
            customer.in_channels("channel-0", "channel-3"),
        ),
        (
            {"channelUuids": ["channel-0"], "excludeInstallIds": left_out},
            [i for i in customer.in_channels("channel-0") if i["id"] not in left_out],
        ),
        ({"segmentId": gold["id"]}, customer.on_plan("gold")),
        ({"segmentUuid": gold["uuid"], "channelUuids": ["channel-1"]}, in_both),
        (
            {
                "segmentId": gold["id"],
                "channelUuids": ["channel-1"],
                "excludeInstallIds": [i["id"] for i in in_both[:3]],
                "installIds": [i["id"] for i in some],
            },
            in_both[3:] + some,
        ),
    ]:
        expected = customer.reachable(installs)
        assert expected
        check_send(stack, target, expected)
    return broadcast


def check_send(stack, target, expected):
    answer = stack.call("POST", "/notifications", {**target, "title": "T", "message": "M"})
    assert answer.status == 201, answer
    id_ = answer.body["id"]
    occurrence = stack.finished(id_)
    assert (occurrence["targeted"], occurrence["accepted"]) == (len(expected),) * 2, target
    counts = stack.call("GET", f"/notifications/{id_}").body["counts"]
    assert (counts["targeted"], counts["accepted"], counts["pending"]) == (*(len(expected),) * 2, 0)
    assert landed(stack, id_) == sorted(expected), target
    return id_


def new_segment(stack, name, plan, *, expected, customer):
    rule = {
        "version": 1,
        "where": {"field": "attribute", "name": "plan", "op": "equals", "value": plan},
    }
    answer = stack.call("POST", "/v1/segments", {"name": name, "rule": rule})
    assert answer.status == 201, answer
    counts = stack.call("GET", f"/v1/segments/{answer.body['id']}/count").body
    assert counts == {
        "users": PEOPLE // 3,
        "installs": len(expected),
        "reachable": len(customer.reachable(expected)),
    }
    return answer.body


# -- by the recipient's clock


def send_local(stack):
    """Ask for the next minute on New York's clocks; everywhere else we live that is past today."""
    now = datetime.now(ZoneInfo(NEW_YORK))
    wall = (now + timedelta(minutes=1, seconds=15)).replace(second=0, microsecond=0)
    ids = {}
    for past, at in [("ignore", wall), ("nextDay", wall), ("long ago", wall.replace(year=2020))]:
        schedule = {
            "sendAt": f"{at:%Y-%m-%d %H:%M}",
            "strategy": "local",
            "pastTimes": "ignore" if past == "long ago" else past,
        }
        ask = {"broadcast": True, "scheduled": True, "schedule": schedule}
        answer = stack.call("POST", "/notifications", {**ask, "title": "T", "message": "M"})
        assert answer.status == 201, answer
        ids[past] = answer.body["id"]
    return ids, wall


def check_local(stack, customer, local):
    ids, wall = local
    here = customer.reachable(i for i in customer.installs if i["timezone"] == NEW_YORK)
    assert here
    until = (wall - datetime.now(UTC)).total_seconds() + 40
    for past in ("ignore", "nextDay"):

        def fired(past=past):
            body = stack.call("GET", f"/notifications/{ids[past]}").body
            zone = next(o for o in body["occurrences"] if o["zone"] == NEW_YORK)
            return body if zone["counts"]["accepted"] == len(here) else None

        body = wait_until(f"fired in New York ({past})", fired, seconds=until)
        assert landed(stack, ids[past]) == sorted(here)
        ahead = {o["zone"]: o["dueAt"] for o in body["occurrences"] if o["zone"] != NEW_YORK}
        assert ahead == ({} if past == "ignore" else tomorrow(wall))
        assert body["counts"]["targeted"] == body["counts"]["accepted"] == len(here)

    assert landed(stack, ids["long ago"]) == []
    left = stack.call("GET", f"/notifications/{ids['long ago']}").body
    assert left["counts"]["targeted"] == left["counts"]["pending"] == 0
    assert stack.call("DELETE", f"/notifications/{ids['nextDay']}").status == 204


def tomorrow(wall):
    """Give when each other zone's clocks show that time of day next."""
    due, asked = {}, wall - timedelta(minutes=1, seconds=15)
    for zone in ("Europe/Rome", "Asia/Tokyo", "UTC"):
        at = wall.replace(tzinfo=ZoneInfo(zone))
        while at < asked:
            at += timedelta(days=1)
        due[zone] = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    return due


# -- what comes back


def check_opens(stack, customer, notification):
    openers = customer.installs[:20] + customer.installs[-5:]
    opened_at = {}
    for n, install in enumerate(openers):
        at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(minutes=n)
        events = [
            {
                "type": "k.message.opened",
                "uuid": str(uuid5(NAMESPACE_URL, f"{install['id']} {copy}")),
                "timestamp": int((at + timedelta(hours=copy)).timestamp() * 1000),
                "data": {"type": 1, "id": notification},
                "userId": install["userId"] or install["id"],
            }
            for copy in range(2)
        ]
        path = f"/v1/app-installs/{install['id']}/events"
        for _ in range(2):  # SDKs post what was accepted again
            assert stack.call("POST", path, events, keys="secret_key").status == 202
        opened_at[install["id"]] = f"{at:%Y-%m-%d %H:%M:%S}"

    path = f"/notifications/{notification}"
    installs = stack.call("GET", f"{path}/install-opens").body
    users = stack.call("GET", f"{path}/user-opens").body
    assert {o["installId"]: o["openedAt"] for o in installs} == opened_at
    assert len(installs) == len(openers)
    assert [a["openedAt"] <= b["openedAt"] for a, b in pairwise(installs)].count(False) == 0
    assert sorted(o["userId"] for o in users) == sorted({i["userId"] or i["id"] for i in openers})
    assert stack.call("GET", path).body["counts"]["opened"] == len(openers)


def check_crm(stack, customer):
    found, anonymous = {}, DEVICES - SIGNED_IN
    for number in range(1, 6):
        page = stack.call("GET", f"/v2/users?currentPage={number}&numberPerPage=100").body
        assert page["totalUsers"] == PEOPLE + anonymous
        assert len(page["users"]) == [100, 100, 100, anonymous, 0][number - 1]
        found |= {user["identifier"]: user for user in page["users"]}

    known = {i["id"] for i in customer.installs if i["userId"] is None}
    assert set(found) == known | {u["identifier"] for u in customer.users}
    for user in customer.users:
        back = found[user["identifier"]]
        devices = {i["id"]: i for i in back.pop("installs")}
        assert back == user
        mine = customer.of_users([user["identifier"]])
        assert set(devices) == {i["id"] for i in mine}
        for install in mine:
            token = bool(customer.reachable([install]))
            told = {**install, "subscribedToPushNotifications": token}
            device = devices[install["id"]]
            assert {k: v for k, v in device.items() if k in told} == {
                k: v for k, v in told.items() if k != "userId"
            }
    for uid in known:
        assert [i["id"] for i in found[uid]["installs"]] == [uid]
    for user in customer.users[:3]:
        answer = stack.call("GET", f"/v1/users/{user['identifier']}/attributes")
        assert (answer.status, answer.body) == (200, user["attributes"])
