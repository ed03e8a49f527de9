"""An audit that could not be made is told apart from a good one; a secret put in is found."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from devstack import audits
from devstack.place import ROOT

PEM = "-----BEGIN " + "PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n"


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "requirements.lock"
    path.write_text(f"example-package==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    return path


@pytest.fixture
def advisories(monkeypatch, tmp_path):
    """Give a list that is answered to whoever asks for flaws."""
    flaws = []

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"vulns": flaws} if flaws else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("HOME", str(tmp_path))  # where answers would be kept
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AUDIT_URL", f"http://127.0.0.1:{server.server_port}/")
    yield flaws
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_lock_without_flaws_is_clean(lock, advisories, capsys):
    assert audits._audited(lock) == audits.CLEAN
    assert "1 packages, 0 known flaws" in capsys.readouterr().out


def test_a_flaw_is_told_with_what_is_free_of_it(lock, advisories, capsys):
    events = [{"introduced": "0"}, {"fixed": "1.1"}]
    where = {"package": {"name": "example-package", "ecosystem": "PyPI"}}
    where["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    advisories.append({"id": "PYSEC-2026-1", "summary": "bad", "affected": [where]})

    assert audits._audited(lock) == audits.FOUND
    assert "PYSEC-2026-1; fixed in: 1.1" in capsys.readouterr().out


def test_nobody_to_ask_is_no_good_news(lock, monkeypatch, capsys):
    monkeypatch.setenv("AUDIT_URL", "http://127.0.0.1:1/")
    assert audits._audited(lock) == audits.NOT_ASKED
    assert "NOT AUDITED" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["gateway/key.py", "tests/key.py", "docker/key.pem"])
def test_a_private_key_is_found_wherever_it_is(tmp_path, where):
    path = tmp_path / where
    path.parent.mkdir()
    path.write_text(PEM)
    [((name, kind, _), line)] = audits.find_secrets(tmp_path, [where])
    assert (name, kind, line) == (where, "Private Key", 1)


def test_a_password_in_the_product_is_found_and_one_made_up_for_a_test_is_not(tmp_path):
    text = 'password = "correct-horse-battery-staple"\n'
    for where in ("gateway/settings.py", "tests/test_x.py"):
        (tmp_path / where).parent.mkdir()
        (tmp_path / where).write_text(text)
    found = {name for (name, _, _), _ in audits.find_secrets(tmp_path, sorted(_all(tmp_path)))}
    assert found == {"gateway/settings.py"}


def _all(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*.py")]


def test_what_git_ignores_is_not_looked_at(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in (".gitignore", "kept.py", "new.py"):
        (tmp_path / name).write_text("ignored.py\n")
    (tmp_path / "ignored.py").write_text(PEM)
    assert audits.tracked(tmp_path) == [".gitignore", "kept.py", "new.py"]


def test_the_reviewed_findings_are_few():
    kept = json.loads((ROOT / audits.BASELINE).read_text())["reviewed"]
    assert 0 < len(kept) < 30
