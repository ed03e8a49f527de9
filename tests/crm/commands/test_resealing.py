"""Sealing keys are changed without a secret being lost, or a change to one."""

import pytest
from django.core.management import CommandError, call_command

from crm.commands import resealing
from crm.commands.apps import create_app
from crm.models import AppKey
from crm.sealing import unseal
from delivery.models import ProviderCredential, Webhook

pytestmark = pytest.mark.django_db

OLD, NEW = "an old key", "a new key"


@pytest.fixture
def new_app(db, settings):
    """Give an app whose keys are sealed with the old key, while the new one is already there."""
    settings.SEALING_KEYS = [OLD]
    return create_app(name="Example")


@pytest.fixture
def secrets(new_app, settings):
    """Give two more sealed secrets of that app."""
    credential = ProviderCredential(app=new_app.app, provider="apns", kind="key")
    credential.secret = "a provider's"
    credential.save()
    hook = Webhook.objects.create(
        app=new_app.app, url="https://x.example/", sealed_secret=credential.sealed
    )
    settings.SEALING_KEYS = [NEW, OLD]
    return credential, hook


def reseal(*words):
    call_command("reseal", *words)


def test_afterwards_the_new_key_alone_opens_everything(secrets, settings, new_app):
    reseal()

    settings.SEALING_KEYS = [NEW]
    credential, hook = secrets
    credential.refresh_from_db()
    hook.refresh_from_db()
    assert credential.secret == "a provider's"
    assert unseal(hook.sealed_secret) == "a provider's"
    signing = AppKey.objects.get(app=new_app.app, kind=AppKey.Kind.SIGNING)
    assert unseal(signing.sealed) == new_app.auth_secret
    reseal("--check")


def test_a_check_tells_whether_the_old_key_may_go_and_changes_nothing(secrets, capsys):
    before = ProviderCredential.objects.get().sealed
    with pytest.raises(CommandError, match="need an older key"):
        reseal("--check")
    assert ProviderCredential.objects.get().sealed == before
    assert "delivery_webhook.sealed_secret" in capsys.readouterr().out

    reseal()
    reseal("--check")


def test_one_broken_off_half_way_goes_on(secrets, monkeypatch, capsys):
    monkeypatch.setattr(resealing, "AT_ONCE", 1)
    next(resealing.reseal_all())  # the first column only
    reseal()

    assert "0 sealed anew" in capsys.readouterr().out.splitlines()[0]
    reseal("--check")


def test_what_changes_meanwhile_keeps_its_change(secrets, monkeypatch):
    honest = resealing.reseal

    def changed_meanwhile(sealed):
        fresh = ProviderCredential.objects.get()
        fresh.secret = "a newer one"
        fresh.save()
        return honest(sealed)

    monkeypatch.setattr(resealing, "reseal", changed_meanwhile)
    reseal()

    assert ProviderCredential.objects.get().secret == "a newer one"


def test_a_secret_nobody_can_open_is_told_and_stops_no_other(secrets, settings):
    credential, hook = secrets
    settings.SEALING_KEYS = ["a third"]
    credential.secret = "lost"
    credential.save()
    settings.SEALING_KEYS = [NEW, OLD]

    with pytest.raises(CommandError, match="1 secrets open with none"):
        reseal()

    settings.SEALING_KEYS = [NEW]
    hook.refresh_from_db()
    assert unseal(hook.sealed_secret) == "a provider's"


def test_every_binary_column_is_either_sealed_or_known_not_to_be():
    from django.apps import apps
    from django.db import models

    fingerprints = {"crm_appkey.fingerprint", "crm_session.token_fingerprint"}
    binary = {
        f"{model._meta.db_table}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField)
    }
    sealed = {f"{model._meta.db_table}.{name}" for model, name in resealing.sealed_columns()}
    assert binary - sealed <= fingerprints
    assert {"crm_appkey.sealed", "delivery_providercredential.sealed"} <= sealed
