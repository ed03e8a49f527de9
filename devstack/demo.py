"""An app with simulated phones for `make run`, and a rehearsal that checks every count."""

import argparse
import json
import secrets
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError

from devstack.errors import StackError
from devstack.place import ROOT, Place, write_json
from simulator.launch import Control

Facts = dict[str, Any]

FIRST_PHONES = (
    ("ios", "Mark's iPhone", "mark"),
    ("ios", "Anna's iPhone", "anna"),
    ("ios", "The office iPhone", None),
    ("android", "Mark's Pixel", "mark"),
    ("android", "Kim's Galaxy", "kim"),
    ("android", "The test phone", None),
)
SIMULATOR_FACTS = (
    "apns_url",
    "fcm_url",
    "token_uri",
    "ca_file",
    "control_url",
    "phones_url",
    "apns",
    "fcm",
)
SEED_SECONDS = 60
PATIENCE = 120.0


def prepare(environ: dict[str, str], facts: Facts, base_url: str) -> Facts:
    """Give the content of demo.json, true from now on: an app, its keys, its phones.

    The app and the phones' installs are kept from one start to the next.
    """
    kept_file = Place().base / "demo-app.json"
    kept = json.loads(kept_file.read_text()) if kept_file.is_file() else {}
    if kept.get("facts") != facts or not _opens(base_url, kept["app"]):
        kept = _make_app(environ, facts, kept)
        write_json(kept_file, kept)
    app, phones, password = kept["app"], kept["phones"], kept["admin_password"]
    for install_id, (platform, name, user) in zip(phones, FIRST_PHONES, strict=True):
        order = {"platform": platform, "name": name, "user": user, "install_id": install_id}
        _make_phones(facts, base_url, app, order)
    return {
        "base_url": base_url,
        "admin": {"url": f"{base_url}/admin/", "user": "admin", "password": password},
        "app": app,
        "simulator": {name: facts[name] for name in SIMULATOR_FACTS},
        "tokens": facts["tokens"],
    }


def seed(environ: Mapping[str, str], wish: Facts) -> Facts:
    """Give the keys of an app in the stack's database, made where it is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "devstack.seed"],
        input=json.dumps(wish),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=dict(environ),
        timeout=SEED_SECONDS,
    )
    if done.returncode:
        raise StackError(f"the demo app could not be made:\n{done.stderr[-2000:]}")
    keys: Facts = json.loads(done.stdout)
    return keys


def _make_app(environ: dict[str, str], facts: Facts, kept: Facts) -> Facts:
    """Give what there is to keep of a demo app that is new, or newly aimed."""
    password = kept.get("admin_password") or secrets.token_urlsafe(12)
    wish = {"name": "Demo", "keys": kept.get("app"), "facts": facts, "admin_password": password}
    app = seed(environ, wish)
    known = kept.get("app") == app
    phones = kept["phones"] if known else [secrets.token_hex(16) for _ in FIRST_PHONES]
    return {"app": app, "facts": facts, "admin_password": password, "phones": phones}


def call(base_url: str, app: Facts, method: str, path: str, body: Facts | None = None) -> Any:
    """Call the server API of an app and give its answer; raises `HTTPError` for a refusal."""
    keys = f"{app['api_key']}:{app['server_key']}".encode()
    request = urllib.request.Request(  # noqa: S310 - our own http address
        base_url + path,
        None if body is None else json.dumps(body).encode(),
        {
            "Authorization": f"Basic {b64encode(keys).decode()}",
            "Content-Type": "application/json",
        },
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        return json.loads(answer.read())


def _opens(base_url: str, app: Facts) -> bool:
    """Say whether the keys of an earlier start still open the gateway."""
    try:
        call(base_url, app, "GET", "/notifications/0/install-opens")
    except HTTPError as error:
        with error:
            return error.code == 404  # signed in; there is no notification 0
    return True


def _make_phones(facts: Facts, base_url: str, app: Facts, order: Facts) -> None:
    keys = {"gateway": base_url, "api_key": app["api_key"], "secret_key": app["secret_key"]}
    Control(facts["control_url"]).post("/phones", {**order, **keys})


def rehearse(demo: Facts, arguments: list[str]) -> int:
    """Register phones, broadcast, tap some, and compare every count; 0 only if all are right."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--phones", type=int, default=100, help="of each platform")
    wanted = parser.parse_args(arguments).phones
    return Rehearsal(demo, wanted).run()


class Rehearsal:
    """One broadcast to phones of its own, from registration to the report."""

    def __init__(self, demo: Facts, phones: int) -> None:
        self._demo = demo
        self._phones = phones
        self._base_url = demo["base_url"]
        self._simulator = demo["simulator"]
        self._control = Control(self._simulator["control_url"])
        place = Place()
        self._environ = place.environment(json.loads(place.addresses.read_text()))
        self._app: Facts = {}

    def run(self) -> int:
        """Play it through and print the report."""
        self._app = seed(self._environ, {"name": "Rehearsal", "facts": self._simulator})
        before = self._counts()
        for platform in ("ios", "android"):
            order = {"platform": platform, "count": self._phones}
            _make_phones(self._simulator, self._base_url, self._app, order)
        total = 2 * self._phones
        self._watch("registered", lambda: self._gained(before, "registered"), total)
        sent_at = time.monotonic()
        notification = self._broadcast()
        self._watch("landed", lambda: self._gained(before, "landed"), total)
        print(f"  all landed {time.monotonic() - sent_at:.2f} s after the call", flush=True)
        tapped = self._tap(notification["id"], total // 4)
        self._watch("opened", lambda: len(self._opens(notification["id"])), tapped)
        self._watch("settled", lambda: self._settled(notification["id"]), total)
        return self._compare(notification["id"], tapped)

    def _broadcast(self) -> Facts:
        body = {"broadcast": True, "title": "Hello World", "message": "from the demo"}
        answer: Facts = self._call("POST", "/notifications", body)
        print(f"notification {answer['id']} accepted", flush=True)
        return answer

    def _tap(self, notification_id: int, count: int) -> int:
        said = self._control.post(
            "/phones/tap", {"count": count, "notification_id": notification_id}
        )
        return int(said["touched"])

    def _opens(self, notification_id: int) -> list[Facts]:
        opens: list[Facts] = self._call("GET", f"/notifications/{notification_id}/install-opens")
        return opens

    def _settled(self, notification_id: int) -> int:
        report = self._report(notification_id)
        return int(report["targeted"]) - int(report["pending"]) if report["finished"] else 0

    def _compare(self, notification_id: int, tapped: int) -> int:
        report = self._report(notification_id)
        print(f"{'':8}{'targeted':>10}{'accepted':>10}{'opened':>10}")
        opened = 0
        right = report["accepted"] == report["targeted"] == 2 * self._phones
        for transport, platform in (("apns", "iPhone"), ("fcm", "Android")):
            share = report["transports"].get(
                transport, {"outcomes": {}, "targeted": 0, "opened": 0}
            )
            accepted = share["outcomes"].get("accepted", 0)
            print(f"{platform:8}{share['targeted']:>10}{accepted:>10}{share['opened']:>10}")
            right = right and share["targeted"] == accepted == self._phones
            opened += share["opened"]
        right = right and opened == tapped == len(self._opens(notification_id))
        print("every count is right" if right else f"COUNTS DIFFER: {json.dumps(report)}")
        return 0 if right else 1

    def _report(self, notification_id: int) -> Facts:
        done = subprocess.run(
            [sys.executable, "manage.py", "report", str(notification_id), "--json"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=self._environ,
            timeout=SEED_SECONDS,
        )
        report: Facts = json.loads(done.stdout)
        return report

    def _watch(self, what: str, count: Callable[[], int], wanted: int) -> None:
        """Show how far it got until all is done; raise where it stops short."""
        deadline, shown = time.monotonic() + PATIENCE, -1
        while True:
            reached = count()
            if reached != shown:
                print(f"  {what} {reached}/{wanted}", flush=True)
                shown = reached
            if reached >= wanted:
                return
            if time.monotonic() > deadline:
                raise StackError(f"{what} stopped at {reached} of {wanted}")
            time.sleep(0.2)

    def _gained(self, before: Facts, name: str) -> int:
        return int(self._counts()[name]) - int(before[name])

    def _counts(self) -> Facts:
        counts: Facts = self._control.get("/phones?limit=0")["counts"]
        return counts

    def _call(self, method: str, path: str, body: Facts | None = None) -> Any:
        return call(self._base_url, self._app, method, path, body)
