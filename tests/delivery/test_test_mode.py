"""A test app's pushes reach the simulator, or nobody: in the form, the row and the worker."""

import json
from dataclasses import replace

import pytest
from django.db import IntegrityError, connection, transaction

from crm.commands.apps import create_test_twin
from crm.errors import Invalid
from crm.models import App
from delivery import dispatch, tasks
from delivery.commands.credentials import StoreCredential, store_credential
from delivery.models import Batch, Breaker, Delivery, ProviderCredential
from delivery.providers import registry
from delivery.providers.contract import Credentials
from delivery.providers.memory import Memory
from delivery.providers.simulated import Refused, stray_address
from tests.conftest import Phones, Sends

APNS = Credentials(id=1, provider="apns", kind="key", secret="s", facts={}, test=True)
ACCOUNT = {"token_uri": "https://localhost:9/token"}
FCM = replace(APNS, provider="fcm", kind="service_account", secret=json.dumps(ACCOUNT))
SIMULATORS = ["https://simulator:2197", ""]


@pytest.mark.parametrize("endpoint", ["https://localhost:1", "127.0.0.1:2197", "[::1]:7"])
def test_loopback_is_the_simulators(endpoint):
    assert stray_address(replace(APNS, endpoint=endpoint), simulators=[]) == ""


def test_so_is_what_the_settings_name():
    assert stray_address(replace(APNS, endpoint="SIMULATOR:9"), simulators=SIMULATORS) == ""


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://api.push.apple.com",
        "http://localhost",
        "https://localhost.example.com",
        "https://localhost@example.com",
        "https://example.com#localhost",
        "nonsense/path",
    ],
)
@pytest.mark.parametrize("like", [APNS, FCM])
def test_every_other_address_is_astray(endpoint, like):
    assert stray_address(replace(like, endpoint=endpoint), simulators=SIMULATORS)


@pytest.mark.parametrize(
    "secret",
    [
        "{}",
        "no json",
        '{"token_uri": "https://oauth2.googleapis.com/token"}',
        '{"token_uri": "http://localhost/token"}',
        '{"token_uri": "https://localhost/", "token_uri": "https://example.com/"}',
    ],
)
def test_an_account_must_ask_the_simulator_for_tokens_too(secret):
    aimed = replace(FCM, endpoint="https://localhost", secret=secret)
    assert stray_address(aimed, simulators=SIMULATORS)
    assert stray_address(replace(aimed, secret=FCM.secret), simulators=SIMULATORS) == ""


def test_what_leads_astray_is_never_built(settings):
    settings.SIMULATORS = {"apns": "https://simulator:2197", "fcm": ""}
    assert isinstance(registry.build_provider(APNS), Refused)
    settings.SIMULATORS = {"apns": "", "fcm": ""}
    elsewhere = replace(APNS, endpoint="https://simulator:2197")
    assert isinstance(registry.build_provider(elsewhere), Refused)
    assert registry.fingerprint(APNS) != registry.fingerprint(replace(APNS, test=False))


@pytest.fixture
def twin(app) -> App:
    return create_test_twin(app).app


@pytest.fixture
def asked(monkeypatch):
    """Remember which credentials led to a provider."""
    seen: list[Credentials] = []

    def build(credentials):
        seen.append(credentials)
        return Memory()

    for name in ("apns", "fcm"):
        monkeypatch.setitem(registry.BUILDERS, name, build)
    yield seen
    registry.registry.close()


def smuggled(app: App, endpoint: str) -> ProviderCredential:
    """Give a credential of a test app that no command would store."""
    credential = ProviderCredential(
        app=app, provider="apns", kind="key", mode="test", endpoint=endpoint
    )
    credential.secret = "a secret"
    credential.save()
    return credential


@pytest.mark.parametrize("endpoint", ["", "https://api.push.apple.com:443"])
def test_a_worker_sends_nothing_of_a_test_app_anywhere_else(twin, asked, endpoint):
    smuggled(twin, endpoint)
    Phones(twin).ring("phone")
    occurrence = Sends(twin).to_everyone()
    tasks.fan_out(occurrence.pk, "bulk")
    dispatch.deliver_next("bulk")
    assert asked == []
    assert not Delivery.objects.filter(occurrence_id=occurrence.pk).exists()
    assert "simulator only" in Breaker.objects.get(credential__app=twin).reason
    assert Batch.objects.get(occurrence=occurrence).state == Batch.State.WAITING


def test_a_worker_sends_what_is_aimed_at_the_simulator(twin, asked):
    smuggled(twin, "https://localhost:2197")
    Phones(twin).ring("phone")
    occurrence = Sends(twin).to_everyone()
    tasks.fan_out(occurrence.pk, "bulk")
    dispatch.deliver_next("bulk")
    assert [credentials.test for credentials in asked] == [True]
    assert Delivery.objects.get(occurrence_id=occurrence.pk).verdict == "accepted"


def test_nothing_of_the_live_app_is_reached_through_the_twin(app, twin, asked, credentials):
    smuggled(twin, "https://localhost:2197")
    Phones(app).ring("live")
    Phones(twin).ring("test")
    occurrence = Sends(twin).to_everyone()
    tasks.fan_out(occurrence.pk, "bulk")
    occurrence.refresh_from_db()
    assert occurrence.targeted == 1
    assert Batch.objects.get(occurrence=occurrence).credential.app_id == twin.pk


@pytest.mark.parametrize("mode", ["live", "test"])
def test_the_database_holds_a_credential_to_the_mode_of_its_app(app, twin, mode):
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderCredential.objects.create(
            app=twin if mode == "live" else app, provider="apns", kind="key", sealed=b"", mode=mode
        )


def test_an_app_with_credentials_cannot_change_its_mode(twin):
    smuggled(twin, "")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE crm_app SET mode = 'live', live_app_id = NULL WHERE id = %s", [twin.pk]
        )


def ask(app: App, account: dict[str, str], **said: str) -> StoreCredential:
    whole = {"project_id": "p", "client_email": "e", "private_key": "k", **account}
    return StoreCredential(app=app, provider="fcm", secret=json.dumps(whole), **said)


def test_a_test_apps_credential_is_aimed_at_the_simulator_of_the_settings(twin, settings, tmp_path):
    (tmp_path / "ca.pem").write_text("the simulator's")
    settings.SIMULATORS = {"apns": "", "fcm": "https://simulator:8443"}
    settings.SIMULATOR_CA_FILE = str(tmp_path / "ca.pem")
    stored = store_credential(ask(twin, {"token_uri": "https://simulator:8443/token"}))
    assert stored.mode == "test"
    assert (stored.endpoint, stored.ca_pem) == ("https://simulator:8443", "the simulator's")


@pytest.mark.parametrize("endpoint", ["", "https://fcm.googleapis.com"])
def test_a_test_apps_credential_for_elsewhere_is_refused(twin, endpoint):
    with pytest.raises(Invalid) as refused:
        store_credential(ask(twin, {"token_uri": "https://localhost/"}, endpoint=endpoint))
    assert list(refused.value.reasons) == ["endpoint"]


def test_a_live_apps_credential_may_aim_anywhere(app):
    stored = store_credential(ask(app, {"token_uri": "https://oauth2.googleapis.com/token"}))
    assert stored.mode == "live"
