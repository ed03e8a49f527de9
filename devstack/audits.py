"""`make audit`, `make secrets`: known flaws in what we depend on, secrets in what git keeps."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings, transient_settings

from devstack.place import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-flower.lock")
CLEAN, FOUND, NOT_ASKED = 0, 1, 3
"""Exit codes: an audit that could not be made is neither good nor bad news."""

AUDIT_SECONDS = 600

BASELINE = ".secrets.baseline"
UNREAD = (".lock", "package-lock.json", ".png", BASELINE)
MADE_UP = ("tests/", "docs/examples/", "benchmarks/")
GUESSES = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector")
"""Detectors that go by the look of a text alone: made-up data trips them daily."""

Finding = tuple[str, str, str]
"""A file, what it looks like, and the digest of what was found."""


# -- dependencies


def audit(_arguments: list[str]) -> int:
    """Look the lock files up in an advisory service; 3 where none can be asked.

    AUDIT_URL names another service than PyPI's own that speaks OSV's language.
    """
    return max(_audited(ROOT / name) for name in LOCKS)


def _audited(lock: Path) -> int:
    service = ["-s", "osv", "--osv-url", url] if (url := os.environ.get("AUDIT_URL")) else []
    words = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "-r", lock, *words, *service],
        check=False,
        capture_output=True,
        text=True,
        timeout=AUDIT_SECONDS,
    )
    try:
        told = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(f"audit: {lock.name}: NOT AUDITED, no advisory service answered: {last}")
        return NOT_ASKED
    flaws = list(_flaws(told))
    for flaw in flaws:
        print(f"audit: {lock.name}: {flaw}")
    print(f"audit: {lock.name}: {len(told)} packages, {len(flaws)} known flaws")
    return FOUND if flaws else CLEAN


def _flaws(packages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for package in packages:
        if why := package.get("skip_reason"):
            yield f"{package['name']}: not looked up: {why}"
        for flaw in package.get("vulns", []):
            better = ", ".join(flaw["fix_versions"]) or "no version without it"
            yield f"{package['name']} {package['version']}: {flaw['id']}; fixed in: {better}"


# -- secrets


def secrets(arguments: list[str]) -> int:
    """Look for secrets in every tracked file; `--review` takes what is found for reviewed."""
    found = dict(find_secrets(ROOT, tracked(ROOT)))
    if arguments == ["--review"]:
        _write(found)
        print(f"secrets: {len(found)} findings in {BASELINE}; look at each before it is committed")
        return CLEAN
    new = {finding: line for finding, line in found.items() if finding not in _reviewed()}
    for (path, kind, _), line in sorted(new.items()):
        print(f"secrets: {path}:{line}: {kind}")
    if new:
        print("secrets: take it out and make another; if it is none, `make secrets ARGS=--review`")
    return FOUND if new else CLEAN


def tracked(root: Path) -> list[str]:
    """Give the files git keeps, or is about to."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(words, cwd=root, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name and not name.endswith(UNREAD)]


def find_secrets(root: Path, names: Iterable[str]) -> Iterator[tuple[Finding, int]]:
    """Give what looks like a secret, with its line, in the files named."""
    ours: list[str] = []
    made_up: list[str] = []
    for name in names:
        if (root / name).is_file():
            (made_up if name.startswith(MADE_UP) else ours).append(name)
    with default_settings() as settings:
        every = settings.json()
    plugins = [p for p in every["plugins_used"] if p["name"] not in GUESSES]
    for chosen, config in ((ours, every), (made_up, {**every, "plugins_used": plugins})):
        with transient_settings(config):
            for name in chosen:
                for secret in scan_file(str(root / name)):
                    yield (name, secret.type, secret.secret_hash), secret.line_number


def _reviewed() -> set[Finding]:
    kept = json.loads((ROOT / BASELINE).read_text(encoding="utf-8"))
    return {(f["file"], f["type"], f["digest"]) for f in kept["reviewed"]}


def _write(found: Mapping[Finding, int]) -> None:
    kept = [{"file": path, "type": kind, "digest": digest} for path, kind, digest in sorted(found)]
    text = json.dumps({"reviewed": kept}, indent=1) + "\n"
    (ROOT / BASELINE).write_text(text, encoding="utf-8")
