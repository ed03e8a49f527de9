"""What the engine counts: by batch, under few names, and the same as what happened."""

import pytest
from prometheus_client import REGISTRY

from delivery import dispatch, fanout, metrics
from delivery.providers.contract import Verdict
from delivery.providers.vocabulary import short
from delivery.providers.wire import Stats


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


def test_every_metric_has_labels():
    """One without is made when it is named, before a process knows where it keeps its values."""
    ours = [
        m for m in REGISTRY._collector_to_names if getattr(m, "_name", "").startswith("gateway_")
    ]
    assert len(ours) > 15
    assert [m._name for m in ours if not m._labelnames] == []


def test_verdicts_are_those_of_providers():
    assert set(metrics.VERDICTS) == {verdict.value for verdict in Verdict}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", ""),
        ("BadDeviceToken", "BadDeviceToken"),
        ("QUOTA_EXCEEDED device", "QUOTA_EXCEEDED"),
        ("INVALID_ARGUMENT message.token", "INVALID_ARGUMENT"),
        ("THIRD_PARTY_AUTH_ERROR", "THIRD_PARTY_AUTH_ERROR"),
        ("HTTP 503 <html>", "HTTP 5xx"),
        ("connection lost: [Errno 104]", "connection"),
        ("no connection had room in time", "no answer"),
        ("TLS: certificate verify failed", "TLS"),
        ("credential: not PEM", "credential"),
        ("GOAWAY BadCertificate", "BadCertificate"),
        ("whatever 0f3a77", "other"),
        ("SomethingNew", "other"),
    ],
)
def test_reasons_are_told_in_few_words(said, told):
    assert short(said) == told


def test_a_batch_is_counted_by_verdict_and_reason(phones, sends, memory):
    tokens = phones.many(5)
    memory({tokens[0].value: "rejected", tokens[1].value: "unregistered"})
    sends.to_everyone()
    accepted = {"provider": "apns", "verdict": "accepted", "reason": ""}
    rejected = {"provider": "apns", "verdict": "rejected", "reason": "other"}
    before = value("gateway_answers_total", **accepted), value("gateway_answers_total", **rejected)
    batches = value("gateway_batch_seconds_count", provider="apns", lane="bulk")
    dead = value("gateway_tokens_retired_total", state="dead")
    [*_] = fanout.plan_batches(_only())
    assert dispatch.deliver_next("bulk")
    assert value("gateway_answers_total", **accepted) == before[0] + 3
    assert value("gateway_answers_total", **rejected) == before[1] + 1
    assert value("gateway_batch_seconds_count", provider="apns", lane="bulk") == batches + 1
    assert value("gateway_tokens_retired_total", state="dead") == dead + 1
    assert value("gateway_pushes_in_flight", provider="apns") == 0


def _only():
    from delivery.models import Occurrence

    return Occurrence.objects.get().pk


def test_connections_are_counted_by_what_is_new():
    from delivery.providers.vitals import count

    plain = {
        "connections": 1,
        "in_flight": 0,
        "sends": 0,
        "failed": 0,
        "refused": 0,
        "pings_lost": 0,
        "resent_unsent": 0,
        "last_goaway": None,
        "last_failure": "",
    }
    before = [Stats(**plain, opened=2, goaways=1)]
    now = [Stats(**plain, opened=5, goaways=1), Stats(**plain, opened=1, goaways=0)]
    opened = {"provider": "fcm", "event": "opened"}
    goaways = {"provider": "fcm", "event": "goaways"}
    was = [value("gateway_provider_connection_events_total", **e) for e in (opened, goaways)]
    count("fcm", before, now)
    count("fcm", now, now)
    is_ = [value("gateway_provider_connection_events_total", **e) for e in (opened, goaways)]
    assert is_ == [was[0] + 4, was[1]]
