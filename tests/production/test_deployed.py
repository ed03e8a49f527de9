"""What compose starts is started here, pushes, drains and ends, with the image's own tree."""

import shlex
import subprocess
import urllib.request

import pytest

from tests.journeys.stack import wait_until
from tests.production import files
from tests.production.deployed import Deployed, development_modules

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    deployed = Deployed(tmp_path_factory.mktemp("deployed"))
    try:
        deployed.start()
        yield deployed
    finally:
        deployed.stop()


def test_a_push_sent_through_the_deployment_arrives(deployed):
    deployed.phones(2, "ios")
    deployed.phones(1, "android")

    occurrence = deployed.finished(deployed.broadcast())

    assert (occurrence["targeted"], occurrence["accepted"]) == (3, 3)


def test_nothing_of_development_is_there(deployed):
    assert {"pytest", "devstack", "hypothesis"} & development_modules() == {"pytest", "hypothesis"}
    for module in ("pytest", "devstack", "simulator"):
        done = deployed.manage(["python", "-c", f"import {module}"])
        assert "ModuleNotFoundError" in done.stderr


def test_the_image_is_healthy_by_its_own_check(deployed):
    [check] = [rest for word, rest in files.dockerfile() if word == "HEALTHCHECK"]
    command = shlex.split(check.partition("CMD ")[2].strip("[]").replace('", "', '" "'))
    assert deployed.manage(command).returncode == 0

    deployed.environ["GRANIAN_PORT"] = "1"
    try:
        assert deployed.manage(command).returncode != 0
    finally:
        deployed.environ["GRANIAN_PORT"] = str(deployed.port)


def test_the_image_can_collect_its_static_files(deployed):
    [step] = [rest for word, rest in files.dockerfile() if word == "RUN"]
    collect = step.rpartition("SECRET_KEY=only-while-building ")[2]
    done = deployed.manage(shlex.split(collect))
    assert done.returncode == 0, done.stderr
    assert (deployed.folder / "staticfiles/admin/css/base.css").is_file()


def test_it_writes_nothing_where_it_lives(deployed):
    """What is written is written to /tmp: the root file system may be read-only."""
    done = subprocess.run(
        ["find", str(deployed.folder), "-newer", str(deployed.secrets / "redis_url"), "-type", "f"],
        capture_output=True,
        text=True,
        check=True,
    )
    written = [line for line in done.stdout.splitlines() if "/staticfiles/" not in line]
    assert written == []


def test_web_answers_while_the_database_is_checked_alone(deployed):
    with urllib.request.urlopen(f"{deployed.url}/readyz?only=database", timeout=10) as answer:
        assert answer.read() == b'{"status": "ok", "checks": {"database": "ok"}}'


def test_it_serves_its_documentation(deployed):
    asked = urllib.request.Request(
        f"{deployed.url}/docs/deploying/", headers={"X-Forwarded-Proto": "https"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert "Keys and passwords" in answer.read().decode()


def test_a_worker_told_to_end_finishes_its_batches_and_another_does_the_rest(deployed):
    deployed.control.post("/reset")
    deployed.app = deployed.new_app()
    words = files.compose_commands()["worker"]
    pushes = 2 * int(words[words.index("--concurrency") + 1]) * 1_000  # half of it has to wait
    deployed.tokens(pushes)
    deployed.control.put("/script", {"rules": [{"match": {}, "action": {"delay_ms": 700}}]})
    sent = deployed.broadcast()
    wait_until("under way", lambda: batches(deployed, "sending"))

    grace = int(files.compose()["services"]["worker"]["stop_grace_period"].rstrip("s"))
    assert deployed.end("worker-0", seconds=grace) == 0
    assert batches(deployed, "sending") == 0
    assert batches(deployed, "waiting") > 0

    deployed.run_service("worker")
    occurrence = deployed.finished(sent)
    assert (occurrence["accepted"], occurrence["replayed"]) == (pushes, 0)
    assert deployed.control.get("/received/summary")["accepted"]["apns"] == pushes


def test_one_tick_of_two_may_die(deployed):
    assert deployed.end("tick-0") == 0
    before = deployed.broadcast()
    deployed.finished(before)
    deployed.run_service("tick")


def test_migrate_again_changes_nothing(deployed):
    assert deployed.run_once("migrate") == 0


def test_a_secret_that_cannot_be_read_stops_the_start_with_one_line(deployed):
    environ = deployed.environ
    deployed.environ = environ | {"SECRET_KEY_FILE": "/nowhere"}
    try:
        done = deployed.manage(files.compose_commands()["worker"])
    finally:
        deployed.environ = environ
    assert done.returncode == 1
    assert done.stderr == "configuration: SECRET_KEY_FILE: No such file or directory: /nowhere\n"


def test_everything_ends_clean_when_asked(deployed):
    ends = {name: deployed.end(name) for name in ("web-0", "worker-0", "tick-0", "tick-1")}
    assert ends == dict.fromkeys(ends, 0)
    assert "Traceback" not in deployed.log()


def batches(deployed, state):
    with deployed.database() as database:
        [(count,)] = database.execute(
            "SELECT count(*) FROM delivery_batch WHERE state = %s", [state]
        ).fetchall()
    return count
