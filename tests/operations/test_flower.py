"""Flower, by the very command of the compose file: a password first, then workers and tasks."""

import os
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from devstack.place import ROOT
from devstack.ports import free_port
from tests.journeys.stack import exchange, wait_until

pytestmark = pytest.mark.long

LOCK = ROOT / "requirements-flower.lock"
COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())


PASSWORD = "ops:a long password"


def command(port):
    """Give Flower's command as the container would be given it, but for where it listens."""
    said = [word.replace("$$", "$") for word in COMPOSE["services"]["flower"]["command"]]
    return [w.replace("0.0.0.0", "127.0.0.1").replace("5555", str(port)) for w in said]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """Install Flower where the image has it: in a folder beside everything else."""
    folder = tmp_path_factory.mktemp("flower")
    pinned = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", LOCK]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", folder, *pinned], check=True
    )
    return folder


@pytest.fixture
def environ(stack, flowers):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in stack.environ.items() if name != "GATEWAY_METRICS_PORT"}
    return {**kept, "FLOWER_BASIC_AUTH": PASSWORD, "PATH": path, "PYTHONPATH": str(flowers)}


def ask(url, password=None):
    request = urllib.request.Request(url)
    if password:
        request.add_header("Authorization", f"Basic {b64encode(password.encode()).decode()}")
    try:
        status, body = exchange(request)
    except OSError:
        return 0, ""
    return status, body.decode(errors="replace")


def test_flower_lists_workers_and_tasks_to_who_knows_the_password(stack, environ, tmp_path):
    port = free_port()
    log = (tmp_path / "flower.log").open("wb")
    flower = subprocess.Popen(command(port), cwd=ROOT, env=environ, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until("up", lambda: ask(url + "/")[0] == 401, seconds=60)
        for path in ("/workers", "/tasks", "/api/workers", "/api/tasks", "/broker"):
            assert ask(url + path)[0] == 401, path
            assert ask(url + path, "ops:guessed")[0] == 401, path

        def workers():
            status, said = ask(url + "/api/workers?refresh=1", PASSWORD)
            return status == 200 and "celery@" in said and said

        said = wait_until("the worker", workers, seconds=60)
        assert '"urgent"' in said
        assert stack.environ["SECRET_KEY"] not in said  # of the settings a worker shows
        stack.tokens(1)
        wait_until("its tasks", lambda: _tells_of_deliver(stack, url), seconds=60)
    finally:
        flower.terminate()
        flower.wait(20)
        log.close()


def _tells_of_deliver(stack, url):
    stack.broadcast()
    time.sleep(1)
    return '"deliver"' in ask(url + "/api/tasks?taskname=deliver&limit=5", PASSWORD)[1]


def test_flower_does_not_start_without_a_password(environ):
    done = subprocess.run(
        command(free_port()),
        cwd=ROOT,
        env={**environ, "FLOWER_BASIC_AUTH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "set FLOWER_BASIC_AUTH" in done.stderr


def test_what_operators_watch_listens_on_this_machine_only():
    for name in ("flower", "prometheus", "grafana"):
        service = COMPOSE["services"][name]
        assert service["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
