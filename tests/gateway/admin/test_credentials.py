"""Credentials in the admin: uploaded, refused where they are wrong, tried out, replaced."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from crm import clock
from crm.commands.apps import create_test_twin
from crm.models.membership import Role
from delivery import dispatch
from delivery.models import Batch, Delivery, ProviderCredential
from tests.conftest import Phones
from tests.delivery.commands.test_credential_files import (
    P256,
    RSA,
    account,
    certificate,
    p12,
    pem_of,
)

NAME = "delivery_providercredential"
DAY = timedelta(days=1)
P8 = {"key_id": "ABCDEFGHIJ", "team_id": "KLMNOPQRST", "topic": "com.example.app"}


def to(name, *args):
    return reverse(f"admin:{NAME}_{name}", args=args)


def upload(client, app, content, url="", **said):
    form = {"app": app.pk, "file": SimpleUploadedFile("key", content), "environment": "", **said}
    return client.post(url or to("add"), form)


def test_a_key_is_uploaded_sealed_and_never_shown(app, signed_in):
    client = signed_in(app)
    assert upload(client, app, pem_of(P256), **P8, pace="5").status_code == 302
    stored = ProviderCredential.objects.get()
    assert (stored.app, stored.kind, stored.pace) == (app, "key", 5)
    page = client.get(to("change", stored.pk)).content.decode()
    assert "ABCDEFGHIJ" in page
    assert "PRIVATE KEY" not in page
    assert b"PRIVATE KEY" not in bytes(stored.sealed)


def test_a_p12_with_its_passphrase_says_its_topic_and_end_by_itself(app, signed_in):
    client, end = signed_in(app), clock.now() + 20 * DAY
    leaf = certificate(start=clock.now() - DAY, end=end)
    assert upload(client, app, p12(leaf=leaf), passphrase="secret").status_code == 302
    stored = ProviderCredential.objects.get()
    assert stored.facts["topic"] == "com.example.app"
    page = client.get(to("changelist")).content.decode()
    assert 'role="alert"' in page
    assert f"{end:%Y-%m-%d}" in page


@pytest.mark.parametrize(
    ("content", "said", "words"),
    [
        (pem_of(P256), {}, "is needed with a signing key"),
        (pem_of(RSA), P8, "holds an EC key"),
        (p12(), {"passphrase": "no"}, "does not open the .p12"),
        (account(token_uri="https://10.0.0.1/"), {}, "which is not Google"),
        (b'{"project_info": 1}', {}, "google-services.json"),
    ],
    ids=["no ids", "an RSA key", "the wrong passphrase", "another's address", "an app's own file"],
)
def test_a_wrong_file_is_refused_beside_its_field(app, signed_in, content, said, words):
    page = upload(signed_in(app), app, content, **said)
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not ProviderCredential.objects.exists()


def test_only_superusers_aim_a_credential_elsewhere(app, signed_in, client):
    aimed = {"endpoint": "https://localhost:1"}
    assert upload(signed_in(app), app, account(), **aimed).status_code == 302
    assert ProviderCredential.objects.get().endpoint == ""
    client.logout()
    assert upload(signed_in(), app, account(), **aimed).status_code == 302
    assert ProviderCredential.objects.get().endpoint == "https://localhost:1"


def test_a_test_apps_credential_for_the_provider_itself_is_refused(app, signed_in):
    twin = create_test_twin(app).app
    page = upload(signed_in(twin), twin, pem_of(P256), **P8)
    assert "of a test app must be the simulator" in page.content.decode()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SENDER])
def test_who_is_no_admin_stores_and_replaces_nothing(app, credentials, signed_in, role):
    client = signed_in(app, role=role)
    assert upload(client, app, account()).status_code == 403
    url = to("replace", credentials["fcm"].pk)
    assert upload(client, app, account(), url).status_code == 403


def test_nobody_stores_into_an_app_of_others(app, other_app, signed_in):
    page = upload(signed_in(app), other_app, account())
    assert page.status_code == 200
    assert not ProviderCredential.objects.exists()


def test_replacing_keeps_use_and_pace_and_takes_no_other_provider(app, signed_in):
    client = signed_in(app)
    upload(client, app, pem_of(P256), **P8, pace="5", environment="sandbox")
    old = ProviderCredential.objects.get()
    url = to("replace", old.pk)
    assert 'value="5"' in client.get(url).content.decode()
    assert "is for fcm" in upload(client, app, account(), url).content.decode()
    upload(client, app, pem_of(P256), url, **{**P8, "key_id": "ZZZZZZZZZZ"}, pace="5")
    new = ProviderCredential.objects.get()
    assert (new.pk, new.version, new.environment, new.pace) == (old.pk, 2, "sandbox", 5)
    assert new.facts["key_id"] == "ZZZZZZZZZZ"


def test_a_test_push_goes_the_real_way_and_shows_what_came_of_it(
    app, phones, memory, credentials, signed_in
):
    memory({"apns-one": "unregistered"})
    client, token = signed_in(app, role=Role.SENDER), phones.ring("one")
    url = to("try", credentials["apns"].pk)
    assert "one" in client.get(url).content.decode()
    for device in ("one", "apns-one", str(token.pk)):
        answer = client.post(url, {"device": device})
        assert answer.status_code == 302, device
    waiting = client.get(answer.url)
    assert waiting.headers["Refresh"] == "1"
    assert "on its way" in waiting.content.decode()
    while dispatch.deliver_next("urgent"):
        pass
    page = client.get(answer.url)
    assert "Refresh" not in page.headers
    assert Delivery.objects.count() == 3
    assert not Batch.objects.exclude(state="done").exists()
    text = page.content.decode()
    assert "unregistered" in text
    assert re_push_id(text)


def re_push_id(text):
    return re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}", text)


def test_a_test_push_reaches_nobody_else(app, other_app, phones, credentials, signed_in):
    foreign = Phones(other_app).ring("foreign")
    phones.ring("android", transport="fcm")
    client = signed_in(app)
    for device, words in (
        ("foreign", "nobody"),
        (str(foreign.pk), "nobody"),
        ("android", "not served by this credential"),
    ):
        page = client.post(to("try", credentials["apns"].pk), {"device": device})
        assert words in page.content.decode()
    assert not Batch.objects.exists()


def test_deleting_says_what_stops(app, credentials, signed_in):
    client = signed_in(app)
    url = to("delete", credentials["apns"].pk)
    assert "stop, unless another credential" in client.get(url).content.decode()
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert list(ProviderCredential.objects.all()) == [credentials["fcm"]]
