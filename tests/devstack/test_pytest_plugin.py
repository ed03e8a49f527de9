import subprocess
import sys
from pathlib import Path

import pytest

from devstack.place import ROOT
from devstack.services import run_dir_of

SUITE = """
import os, pathlib, time
import psycopg, pytest, redis

pytestmark = pytest.mark.xdist_group("all")  # heeded where a run is shared out by groups

@pytest.mark.parametrize("n", range(int(os.environ.get("TESTS", "1"))))
def test_the_engines_are_ours(n):
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        place, = connection.execute("select current_setting('data_directory')").fetchone()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()
    name = os.environ.get("PYTEST_XDIST_WORKER", "place")
    pathlib.Path(__file__).with_name(name).write_text(f"{os.path.dirname(place)} {client}")
    if os.environ.get("LINGER"):
        time.sleep(60)
"""


@pytest.fixture
def run_suite(marked, tmp_path):
    (tmp_path / "test_engines.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")

    def start(*words, **environ):
        plugins = ["-p", "no:django", "-p", "no:valkey", "-p", "devstack.pytest_plugin"]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *words, "."],
            cwd=tmp_path,
            env={**marked.environ(), **environ},
            stdout=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def place(tmp_path):
    note = tmp_path / "place"
    return lambda: Path(note.read_text().split()[0]) if note.is_file() else None


def test_a_plain_pytest_gets_engines_and_takes_them_away_again(run_suite, place, marked, traces_of):
    with run_suite() as suite:
        words, _ = suite.communicate(timeout=30)
    assert "1 passed" in words
    assert not place().exists()
    assert traces_of(place()) == []
    assert marked.living() == []


def test_each_of_several_processes_has_engines_of_its_own(run_suite, tmp_path, marked):
    with run_suite("-n", "2", TESTS="2") as suite:
        words, _ = suite.communicate(timeout=60)
    assert "2 passed" in words
    engines = [(tmp_path / name).read_text().split(maxsplit=1) for name in ("gw0", "gw1")]
    assert engines[0][0] != engines[1][0]
    assert engines[0][1] != engines[1][1]
    assert marked.living() == []


def test_what_belongs_to_a_group_is_run_by_one_process(run_suite, tmp_path, marked):
    with run_suite("-n", "2", "--dist", "loadgroup", TESTS="8") as suite:
        words, _ = suite.communicate(timeout=60)
    assert "8 passed" in words
    assert len([*tmp_path.glob("gw?")]) == 1


def test_a_pytest_that_is_killed_leaves_nothing(run_suite, place, marked, wait_until):
    with run_suite(LINGER="1") as suite:
        assert wait_until(place, 20)
        suite.kill()
    assert wait_until(lambda: not marked.living() and not place().exists(), 6)
    assert not run_dir_of(place()).exists()


def test_engines_somebody_else_provides_are_used_as_they_are(run_suite, services, place, lived_in):
    urls = services(lived_in).start()
    with run_suite(**urls.environment()) as suite:
        words, _ = suite.communicate(timeout=30)
    assert "1 passed" in words
    assert place() == lived_in
