"""Sealing keys are changed without a secret being lost, or a change to one."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from crm.commands import resealing
from crm.commands.apps import create_app
from crm.commands.kept_answers import Answer, Call, KeyReused, answer_once
from crm.models import AppKey
from crm.sealing import unseal
from delivery.models import ProviderCredential, Webhook
from delivery.models.webhook import WebhookSecret

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
    webhook = Webhook.objects.create(app=new_app.app, url="https://x.example/")
    signing = WebhookSecret(webhook=webhook)
    signing.secret = "a webhook's"
    signing.save()
    settings.SEALING_KEYS = [NEW, OLD]
    return credential, signing


@pytest.fixture
def call(new_app):
    """Give a call under an idempotency key that was answered before the new key was there."""
    call = Call(app=new_app.app, door="kumulos", key="k", ask=b"an ask")
    answer_once(call, lambda: Answer(201, b"\x00\xff no text"))
    return call


@pytest.fixture
def factors(new_app):
    """Give an operator's second factors of before: an authenticator app, and recovery codes."""
    olga = User.objects.create(username="olga")
    TOTP.activate(olga, "JBSWY3DPEHPK3PXP")
    RecoveryCodes.activate(olga)
    key = {"name": "a security key", "credential": {}}
    Authenticator.objects.create(user=olga, type="webauthn", data=key)
    return olga


def codes_of(operator):
    found = Authenticator.objects.get(user=operator, type="recovery_codes")
    return found.wrap().get_unused_codes()


def reseal(*words):
    call_command("reseal", *words)


def test_afterwards_the_new_key_alone_opens_everything(secrets, settings, new_app):
    reseal()

    settings.SEALING_KEYS = [NEW]
    credential, hook = secrets
    credential.refresh_from_db()
    hook.refresh_from_db()
    assert credential.secret == "a provider's"
    assert hook.secret == "a webhook's"
    signing = AppKey.objects.get(app=new_app.app, kind=AppKey.Kind.SIGNING)
    assert unseal(signing.sealed) == new_app.auth_secret
    reseal("--check")


def test_a_kept_answer_is_given_as_before_while_the_old_key_is_there(call, secrets, settings):
    reseal()

    again = answer_once(call, lambda: pytest.fail("it ran again"))
    assert again == Answer(201, b"\x00\xff no text", replayed=True)
    settings.SEALING_KEYS = [NEW]  # sealed anew it is, and yet its request is known no more
    reseal("--check")
    with pytest.raises(KeyReused):
        answer_once(call, lambda: pytest.fail("it ran again"))


def test_second_factors_are_sealed_anew_where_they_lie_in_json(factors, secrets, settings, capsys):
    before = codes_of(factors)
    untouched = Authenticator.objects.get(type="webauthn").data
    with pytest.raises(CommandError, match="need an older key"):
        reseal("--check")
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("mfa_"))
    assert line.split(maxsplit=1) == [
        "mfa_authenticator.data",
        "0 as they should be, 2 sealed with an older key, 0 unreadable",
    ]

    reseal()

    settings.SEALING_KEYS = [NEW]
    assert codes_of(factors) == before
    secret = Authenticator.objects.get(type="totp").data["secret"]
    assert unseal(secret.encode()) == "JBSWY3DPEHPK3PXP"
    assert Authenticator.objects.get(type="webauthn").data == untouched
    reseal("--check")


def test_a_recovery_code_used_meanwhile_stays_used(factors, secrets, monkeypatch):
    honest, first = resealing.reseal, codes_of(factors)[0]

    def used_meanwhile(sealed):
        Authenticator.objects.get(type="recovery_codes").wrap().validate_code(first)
        return honest(sealed)

    monkeypatch.setattr(resealing, "reseal", used_meanwhile)
    reseal()
    monkeypatch.undo()
    reseal()  # what was left alone for its change

    assert first not in codes_of(factors)
    reseal("--check")


def test_a_check_tells_whether_the_old_key_may_go_and_changes_nothing(secrets, capsys):
    before = ProviderCredential.objects.get().sealed
    with pytest.raises(CommandError, match="need an older key"):
        reseal("--check")
    assert ProviderCredential.objects.get().sealed == before
    assert "delivery_webhooksecret.sealed" in capsys.readouterr().out

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
    assert hook.secret == "a webhook's"


def test_every_binary_column_is_either_sealed_or_known_not_to_be():
    from django.apps import apps
    from django.db import models

    recognised = {"crm_appkey.fingerprint", "crm_session.token_fingerprint", "crm_keptanswer.mark"}
    binary = {
        f"{model._meta.db_table}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField)
    }
    sealed = {f"{model._meta.db_table}.{name}" for model, name in resealing.sealed_columns()}
    assert binary - sealed == recognised
    assert sealed == {
        "crm_appkey.sealed",
        "crm_keptanswer.sealed",
        "delivery_providercredential.sealed",
        "delivery_webhooksecret.sealed",
        "mfa_authenticator.data",
    }
