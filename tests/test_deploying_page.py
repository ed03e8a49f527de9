"""The handbook's figures are those of docs/capacity.md, and what it names is there."""

import re

import pytest

from devstack.place import ROOT

DEPLOYING = (ROOT / "docs/deploying.md").read_text()
THREATS = (ROOT / "docs/threat-model.md").read_text()
CAPACITY = (ROOT / "docs/capacity.md").read_text()

DAY, DAYS = 86_400, 90
PUSHES_OF_A_PROCESS = 12_800  # at 50 ms; "add a third"


def constants():
    rows = re.findall(r"^\| `([A-Z])` \| ([\d.,]+) ", CAPACITY, re.MULTILINE)
    return {name: float(value.replace(",", "")) for name, value in rows}


@pytest.mark.parametrize("devices", [100_000, 1_000_000, 10_000_000, 100_000_000])
def test_sizes_are_worked_out_from_what_was_measured(devices):
    c = constants()
    web, postgres = map(
        float, re.search(r"device event: web (\d+), Postgres (\d+)", CAPACITY).groups()
    )
    rate, events = devices / 600, 2 * devices / DAY * 5
    disk = devices * (c["D"] + c["A"] + DAYS * (c["L"] + c["Q"]))
    wal = devices * c["X"]
    expected = {
        "pushes/s": f"{rate:,.0f}".replace(",", ""),
        "worker cores": max(rate * c["W"] / 1e6, 0.01),
        "web cores": max(events * web / 1e6, 0.01),
        "Postgres cores": max((rate * c["P"] + events * postgres) / 1e6, 0.01),
        "WAL a day": wal / 1e9,
        "disk": disk / 1e9,
        "broker": c["R"],
        "worker processes": max(1, round(rate / PUSHES_OF_A_PROCESS * 4 / 3)),
    }
    head, row = (
        re.search(rf"^\| {start} \|.*$", DEPLOYING, re.MULTILINE)[0]
        for start in ("devices", f"{devices:,}")
    )
    names, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in (head, row))
    said = dict(zip(names, cells, strict=True))
    for name, value in expected.items():
        number = float(re.match(r"[\d.,]+", said[name])[0].replace(",", ""))
        assert number == pytest.approx(float(value), rel=0.06, abs=0.005), name


def test_every_retention_setting_is_documented():
    names = set(re.findall(r"GATEWAY_\w+_RETENTION", (ROOT / "gateway/settings.py").read_text()))
    readme = (ROOT / "README.md").read_text()
    assert len(names) >= 4
    for name in names:
        assert name in DEPLOYING
        assert f"| `{name}` |" in readme


def test_every_setting_is_in_the_readme():
    text = (ROOT / "gateway/settings.py").read_text() + (ROOT / "gateway/env.py").read_text()
    names = set(re.findall(r'"((?:GATEWAY_|SECRET_|DATABASE_|REDIS_)[A-Z_]+)"', text))
    readme = (ROOT / "README.md").read_text()
    assert {name for name in names if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize("page", [DEPLOYING, THREATS], ids=["deploying", "threat model"])
def test_what_the_page_names_is_there(page):
    named = set(re.findall(r"`((?:tests|docker|devstack|docs|crm)/[\w./-]*\w/?)`", page))
    assert named
    made_at_setup = {"docker/secrets/", "docker/secrets/tls_certificate", "docker/.env"}
    assert {name for name in named - made_at_setup if not (ROOT / name).exists()} == set()


def test_every_command_of_ours_it_names_exists():
    from django.core.management import get_commands

    named = set(re.findall(r"manage\.py (\w+)", DEPLOYING + THREATS))
    assert {"migrate", "reseal", "check_data", "check"} <= named
    assert named <= set(get_commands())
