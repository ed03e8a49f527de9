"""Fixtures every suite may ask for: an app, its phones, a provider that answers from a script."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.test.client import ClientHandler
from django.utils import timezone

from crm.commands.apps import NewApp, create_app
from crm.commands.device_tokens import Address, register_token
from crm.commands.installs import (
    AssociateUser,
    change_install,
    recognise_install,
    recognise_user,
)
from crm.commands.user_devices import UserDevice, subscribe_device
from crm.models import App, DeviceToken, Install
from delivery import forbearance
from delivery.audience import Audience
from delivery.buckets import buckets
from delivery.commands.credentials import Kind
from delivery.forbearance import store
from delivery.message import Message
from delivery.models import Notification, Occurrence, ProviderCredential
from delivery.models.notification import Lane
from delivery.providers import registry
from delivery.providers.memory import Memory
from gateway.metrics import rows
from tests.chaos import recovery, shim

HERE = Path(__file__).parent
TOPIC = "com.example.app"

# a machine full of tests may stand still for longer; the broker is not away for that
forbearance.PATIENCE = 10.0

# one for all processes of a run, or they would not find the same tests
os.environ.setdefault("CHAOS_SEED", str(time.time_ns() % 1_000_000))


APART = ("journeys", "chaos", "operations")
"""Folders whose tests share a whole gateway, engines and all: first, since they take longest."""

TRANSACTIONAL = frozenset({"transactional_db", "live_server"})


@pytest.hookimpl(wrapper=True, tryfirst=True)  # xdist reads the groups within, Django sorts
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Have one process run all of a file, or of a folder that starts a gateway.

    Two gateways at once would hurt each other's tests, where a machine is small. What commits keeps
    its place after all that does not: not everything it leaves behind can be taken away.
    """
    for item in items:
        folder = _folder(item)
        unit = folder if folder == "browser" else item.path
        group = folder if folder in APART else f"{unit} {_commits(item)}"
        item.add_marker(pytest.mark.xdist_group(group))
    yield
    places = {folder: place for place, folder in enumerate(APART)}
    items.sort(key=lambda item: places.get(_folder(item), len(places)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


def _commits(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    asked = marker is not None and bool(marker.kwargs.get("transaction"))
    return asked or not TRANSACTIONAL.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of several has measured."""
    found = getattr(node, "workeroutput", {}).get("recovery", [])
    recovery.measured.extend(recovery.Recovery(**one) for one in found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how long the gateway took to be itself again after each fault."""
    if not recovery.measured:
        return
    terminalreporter.section("recovery")
    terminalreporter.write_line(recovery.table())
    if os.environ.get("CHAOS") == "long":
        shim.BUILD.mkdir(exist_ok=True)
        (shim.BUILD / "recovery.md").write_text(recovery.table() + "\n")


@pytest.fixture(autouse=True)
def cheap_passwords(settings):
    """Hash as in production, with less work: hundreds of people sign up here."""
    settings.PASSWORD_HASHERS = ["tests.cheap_hasher.CheapScrypt"]


@pytest.fixture(autouse=True)
def fresh_metrics(monkeypatch):
    """Have each scrape ask the database: nobody waits here for what was read to grow old."""
    monkeypatch.setattr(rows, "FRESH_FOR", 0.0)


@pytest.fixture(autouse=True)
def fresh_buckets():
    """Forget how fast anybody sent: all FCM credentials here are of one project and share a bucket.

    A quiet one test was asked for would keep back the pushes of those after it.
    """
    broker = store(configured.REDIS_URL)
    if paces := broker.keys("gateway:pace:*"):
        broker.delete(*paces)
    buckets._rests_until = 0.0  # a broker that was away in the test before is asked again


@pytest.fixture(scope="session")
def web():
    """Give the web stack as it runs, built once: it looks for static files in every app."""
    handler = ClientHandler(enforce_csrf_checks=False)
    handler.load_middleware()
    return handler


@pytest.fixture
def client(web):
    """Give a client of the one web stack."""
    client = Client()
    client.handler = web
    return client


@pytest.fixture
def new_app(db: None) -> NewApp:
    return create_app(name="Example")


@pytest.fixture
def app(new_app: NewApp) -> App:
    return new_app.app


@dataclass
class Phones:
    """Devices of one app, as if their apps had registered them."""

    app: App

    def ring(self, uid: str, *, transport: str = "apns", user: str | None = None) -> DeviceToken:
        """Give the token of an install, registered now."""
        install = self.install(uid, user=user)
        address = Address(
            transport=transport,
            environment="production",
            topic=TOPIC if transport == "apns" else "",
            value=f"{transport}-{uid}",
        )
        return register_token(install, address=address, details={})

    def install(self, uid: str, *, user: str | None = None) -> Install:
        """Give an install known to the app, with someone signed in where `user` is named."""
        install = recognise_install(app=self.app, uid=uid)
        if user is not None:
            change_install(install, AssociateUser(user_uid=user))
            install.save()
        return install

    def subscribe(
        self, user: str, *, udid: str = "udid", platform: str = "ios", **said: str
    ) -> DeviceToken:
        """Give the token of a ConnectyCube device, registered now by a session of the user."""
        device = UserDevice(recognise_user(app=self.app, uid=user), udid, platform)
        address = {"transport": "apns", "environment": "production", "topic": TOPIC, **said}
        value = address.pop("value", f"{address['transport']}-{user}-{udid}")
        [token] = subscribe_device(device, [Address(value=value, **address)])
        return token

    def many(self, count: int, *, transport: str = "apns") -> list[DeviceToken]:
        """Give the tokens of `count` installs."""
        return [self.ring(f"{transport}-{n}", transport=transport) for n in range(count)]


@pytest.fixture
def phones(app: App) -> Phones:
    return Phones(app)


@pytest.fixture
def credentials(app: App) -> dict[str, ProviderCredential]:
    """One credential for each provider; what they lead to is up to the test."""
    return {
        provider: ProviderCredential.objects.create(
            app=app, provider=provider, kind=kind, sealed=_sealed()
        )
        for provider, kind in (("apns", Kind.KEY), ("fcm", Kind.SERVICE_ACCOUNT))
    }


def _sealed() -> bytes:
    credential = ProviderCredential()
    credential.secret = "a secret"
    return bytes(credential.sealed)


@pytest.fixture
def memory(
    credentials: dict[str, ProviderCredential], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Memory]]:
    """Make every credential lead to a provider that answers from the script given."""

    def script(lines: dict[str, str] | None = None, **options: float) -> Memory:
        provider = Memory(lines, **options)
        for name in ("apns", "fcm"):
            monkeypatch.setitem(registry.BUILDERS, name, lambda _: provider)
        return provider

    yield script
    registry.registry.close()


@dataclass
class Sends:
    """Notifications of one app, stored as a send command stores them."""

    app: App

    def to(self, audience: Audience, **said: object) -> Occurrence:
        """Give the one occurrence of a new notification, due now."""
        lane = said.pop("lane", Lane.BULK)
        time_to_live = said.pop("time_to_live", timedelta(hours=1))
        message = Message(**{"title": "Hello", "body": "World", **said})
        now = timezone.now()
        notification = Notification.objects.create(
            app=self.app,
            source=Notification.Source.KUMULOS,
            message=message.as_json(),
            audience=audience.as_json(),
            schedule={},
            lane=lane,
            time_to_live=time_to_live,
        )
        return Occurrence.objects.create(
            notification=notification,
            due_at=now,
            expires_at=now + time_to_live,
            ledger_day=now.date(),
        )

    def to_everyone(self, **said: object) -> Occurrence:
        """Give the occurrence of a broadcast."""
        return self.to(Audience(everyone=True), **said)


@pytest.fixture
def sends(app: App) -> Sends:
    return Sends(app)
