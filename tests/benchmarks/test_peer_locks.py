"""What the peers' locks promise: exact versions, each with a hash, and no host."""

import json

from benchmarks.environments import NODE, PYTHON_LOCK
from devstack.lockfiles import pins
from devstack.place import ROOT


def test_python_peers_are_pinned_with_hashes_and_from_nowhere():
    text = PYTHON_LOCK.read_text()
    packages = [line for line in text.splitlines() if "==" in line]
    assert len(pins(text)) == len(packages)
    assert all(line.endswith("\\") for line in packages), "a hash follows each"
    assert "://" not in text
    assert "--index" not in text


def test_python_peers_stand_on_the_versions_we_have():
    theirs = pins(PYTHON_LOCK.read_text())
    ours = pins((ROOT / "requirements.lock").read_text())
    for package in ("django", "firebase-admin", "orjson"):
        assert theirs[package] == ours[package]


def test_node_peers_are_pinned_with_hashes_and_from_nowhere():
    lock = json.loads((NODE / "package-lock.json").read_text())
    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]
    packages = {name: said for name, said in lock["packages"].items() if name}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(said["integrity"].startswith("sha") for said in packages.values())
    assert not any("resolved" in said for said in packages.values())
