"""Dashboard and alert rules speak of what processes really show, and rules do what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml

from devstack.place import ROOT

DOCKER = ROOT / "docker"
BOARD = json.loads((DOCKER / "grafana" / "dashboards" / "push-gateway.json").read_text())
RULES = yaml.safe_load((DOCKER / "prometheus" / "alerts.yaml").read_text())
TESTS = yaml.safe_load((DOCKER / "prometheus" / "alerts_test.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
MANUAL = (ROOT / "docs" / "operations.md").read_text()

SELECTOR = re.compile(r"\b(gateway_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"by \(([^)]*)\)")
FROM_PROMETHEUS = {"job", "instance", "le"}


def panels():
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def expressions():
    yield from (target["expr"] for panel in panels() for target in panel["targets"])
    yield from (rule["expr"] for rule in ALERTS)


@pytest.fixture(scope="module")
def shown(running):
    """Give every metric name that running processes show after some work, with its label names."""
    stack = running
    stack.app = stack.new_app()
    stack.tokens(150)
    stack.tokens(50, "fcm")
    stack.finished(stack.broadcast())
    stack.finished(stack.broadcast(lane="urgent"))
    open_a_breaker(stack)
    store_a_certificate(stack)
    names = {}
    for process in ("web", "worker", "beat"):
        for name, labels in stack.scrape(process):
            names.setdefault(name, set()).update(label for label, _ in labels)
    return names


def open_a_breaker(stack):
    with stack.database() as database:
        database.execute(
            """INSERT INTO delivery_breaker (credential_id, environment, topic, state)
               SELECT id, 'sandbox', 'com.example.nobody', 'open'
                 FROM delivery_providercredential WHERE app_id = %s LIMIT 1""",
            [stack.app["id"]],
        )


def store_a_certificate(stack):
    code = """
import sys, django; django.setup()
from crm.models import App
from delivery.commands.credentials import StoreCredential, store_credential
app = App.objects.get(pk=sys.argv[1])
secret = open(sys.argv[2]).read()
store_credential(StoreCredential(app=app, provider="apns", environment="sandbox", secret=secret))
"""
    certificate = stack.simulator.facts["apns"]["certificate_file"]
    command = [sys.executable, "-c", code, str(stack.app["id"]), certificate]
    environ = {**stack.environ, "DJANGO_SETTINGS_MODULE": "gateway.settings"}
    subprocess.run(command, cwd=ROOT, env=environ, check=True)
    # what web has read is fresh for some seconds
    time.sleep(6)


def test_every_metric_that_is_asked_for_is_shown(shown):
    asked = {name for expr in expressions() for name, _ in SELECTOR.findall(expr)}
    assert len(asked) > 40
    assert sorted(asked - shown.keys()) == []


def test_every_label_that_is_asked_for_is_there(shown):
    for expr in expressions():
        named = SELECTOR.findall(expr)
        for name, matchers in named:
            wanted = set(MATCHER.findall(matchers)) - FROM_PROMETHEUS
            assert wanted <= shown[name], (expr, name)
        labels = set().union(*(shown[name] for name, _ in named)) if named else set()
        for grouped in GROUPING.findall(expr):
            wanted = {label.strip() for label in grouped.split(",")} - FROM_PROMETHEUS
            assert wanted <= labels, expr


def test_every_metric_that_is_shown_is_in_the_manual(shown):
    bases = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}
    missing = sorted(base for base in bases if f"`{base}" not in MANUAL)
    assert missing == []


def test_a_scrape_is_answered_soon(running):
    began_at = time.monotonic()
    for process in ("web", "worker", "beat"):
        with urllib.request.urlopen(running.url_of(process) + "/metrics", timeout=20) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            answer.read()
    assert time.monotonic() - began_at < 10


def test_panels_are_whole_and_lie_beside_each_other():
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in panels():
        assert panel["datasource"]["uid"] == "prometheus"
        assert panel["description"]
        assert panel["targets"]


def test_provisioning_leads_to_the_files_that_are_mounted():
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    sources = yaml.safe_load(
        (DOCKER / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )
    [source] = sources["datasources"]
    assert source["uid"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    boards = yaml.safe_load(
        (DOCKER / "grafana/provisioning/dashboards/push-gateway.yaml").read_text()
    )
    [provider] = boards["providers"]
    mounted = [volume.split(":") for volume in compose["grafana"]["volumes"]]
    assert ["./grafana/dashboards", provider["options"]["path"], "ro"] in mounted
    scraped = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())
    for job in scraped["scrape_configs"]:
        for target in job.get("dns_sd_configs", []):
            for name in target["names"]:
                port = compose[name].get("environment", {}).get("GATEWAY_METRICS_PORT", "8000")
                assert target["port"] == int(port)


def test_every_alert_says_what_to_do_and_the_manual_has_it():
    for rule in ALERTS:
        said = rule["annotations"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert said["summary"]
        page, _, anchor = said["runbook_url"].partition("#")
        assert page == "docs/operations.md"
        assert f'<a id="{anchor}"></a>' in MANUAL, rule["alert"]


def test_every_alert_is_seen_to_fire():
    fired = {
        case["alertname"]
        for test in TESTS["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.fixture(scope="session")
def promtool():
    """Give Prometheus' own tool; without it skip, but never in CI."""
    found = shutil.which("promtool")
    if found is None:
        why = "promtool (Debian's package prometheus) is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yaml"),
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
)
def test_prometheus_own_tool_agrees(promtool, words):
    done = subprocess.run(
        [promtool, *words],
        cwd=DOCKER / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
