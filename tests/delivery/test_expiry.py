"""Certificates end: everybody is told in time, and the log once for each warning."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from crm import clock
from delivery.commands.credentials import StoreCredential, store_credential
from delivery.expiry import ENDED, ends_at, expiries, log_warnings, warned_of
from delivery.models import ProviderCredential
from tests.delivery.commands.test_credential_files import PEM, RSA, pem_of

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def certificate(app) -> ProviderCredential:
    return store_credential(
        StoreCredential(app=app, provider="apns", secret=(PEM + pem_of(RSA)).decode())
    )


@pytest.mark.parametrize(
    ("left", "level"),
    [(61, None), (60, None), (59, 60), (30, 60), (29, 30), (6, 7), (1, 7), (0, 1), (-1, ENDED)],
)
def test_the_smallest_warning_that_is_due_counts(certificate, left, level):
    end = ends_at(certificate)
    [expiry] = expiries([certificate], now=end - left * DAY - timedelta(hours=1) * (left >= 0))
    assert (expiry.days, expiry.level) == (left, level)


def test_the_end_is_among_the_facts_and_read_from_the_certificate_where_it_is_not(certificate):
    known = ends_at(certificate)
    assert certificate.facts["not_after"] == known.isoformat()
    certificate.facts = {"topic": "com.example.app"}
    assert ends_at(certificate) == known


def test_a_certificate_sealed_with_a_lost_key_stops_no_warning(certificate):
    certificate.facts, certificate.sealed = {}, b"sealed with another key"
    certificate.save()
    assert ends_at(certificate) is None
    assert log_warnings(now=NOW) == 0


def test_keys_and_accounts_do_not_end(credentials):
    assert [ends_at(credential) for credential in credentials.values()] == [None, None]
    assert expiries(credentials.values(), now=NOW) == []


def test_only_the_apps_own_are_warned_of(app, certificate):
    end = ends_at(certificate)
    assert [e.credential for e in warned_of([app.pk], now=end - DAY)] == [certificate]
    assert warned_of([app.pk + 1], now=end - DAY) == []
    assert warned_of([app.pk], now=end - 90 * DAY) == []


def test_the_log_says_each_warning_once_and_anew_of_another_certificate(certificate, caplog, app):
    end = ends_at(certificate)
    caplog.set_level(logging.WARNING, "delivery.expiry")
    told = [log_warnings(now=end - days * DAY) for days in (80, 59, 58, 29, 29, 6, 0.5, 0.4, -2)]
    assert told == [0, 1, 0, 1, 0, 1, 1, 0, 1]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3 + ["ERROR"] * 2
    assert "com.example.app" in caplog.records[-1].getMessage()
    store_credential(StoreCredential(app=app, provider="apns", secret=(PEM + pem_of(RSA)).decode()))
    assert log_warnings(now=end - DAY) == 1


def test_what_is_replaced_keeps_its_pace_unless_one_is_given(certificate, app):
    secret = (PEM + pem_of(RSA)).decode()
    for said, kept in (({"pace": 7}, 7), ({}, 7), ({"pace": None}, None), ({}, None)):
        stored = store_credential(StoreCredential(app=app, provider="apns", secret=secret, **said))
        stored.refresh_from_db()
        assert stored.pace == kept
    assert clock.now() > stored.created_at
