import pytest

from benchmarks import endtoend
from benchmarks.figures import Report, summarise
from benchmarks.plan import Plan

PLAN = Plan(only="", rounds=2, scale=1)


@pytest.fixture
def report(tmp_path):
    return Report(tmp_path / "latest.jsonl")


def measured(report, name, *rounds):
    report.begin([name])
    report.add(summarise(name, rounds, unit="us/push", n=1000))


def test_a_ratio_is_formed_round_by_round(report):
    measured(report, "fanout.cpu_us", 40, 50)
    measured(report, "peer.node_apn.apns.cpu_us", 60, 100)
    endtoend.measure(["ratio.e2e.vs_node_apn"], PLAN, report)
    assert report.figures[-1].rounds == (1.5, 2.0)
    assert report.figures[-1].bar.met(report.figures[-1].value)


def test_a_peer_of_both_providers_counts_half_and_half(report):
    measured(report, "fanout.cpu_us", 40, 40)
    measured(report, "peer.node_pushnotifications.apns.cpu_us", 60, 60)
    measured(report, "peer.node_pushnotifications.fcm.cpu_us", 100, 20)
    endtoend.measure(["ratio.e2e.vs_node_pushnotifications"], PLAN, report)
    assert report.figures[-1].rounds == (2.0, 1.0)


def test_what_could_not_be_measured_has_no_ratio_and_is_not_tried_again(report, capsys):
    measured(report, "fanout.cpu_us", 40, 40)
    report.begin(["peer.node_apn.apns.cpu_us"])
    endtoend.measure(["ratio.e2e.vs_node_apn"], PLAN, report)
    assert report.found("ratio.e2e.vs_node_apn") is None
    assert "skipped ratio.e2e.vs_node_apn" in capsys.readouterr().err


def test_nobody_is_ahead_by_taking_as_much(report):
    measured(report, "fanout.cpu_us", 40, 40)
    measured(report, "peer.aioapns.apns.cpu_us", 40, 40)
    endtoend.measure(["ratio.e2e.vs_aioapns"], PLAN, report)
    assert not report.figures[-1].bar.met(report.figures[-1].value)
