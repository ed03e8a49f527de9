import os
import signal
import subprocess
import sys

import psycopg
import pytest

from devstack import processes
from devstack.errors import StackError

OWNER = """
import sys, time
from pathlib import Path
from devstack.services import Services
Services(Path(sys.argv[1]), ephemeral=sys.argv[2] == "ephemeral").start()
print("up", flush=True)
time.sleep(60)
"""


def zombie():
    """A process that has ended and that nobody collects."""
    return subprocess.Popen([sys.executable, "-S", "-c", ""])


@pytest.fixture(params=["persistent", "ephemeral"])
def owned(request, base, lived_in):
    """A kind of engines, and a place for them."""
    return request.param, lived_in if request.param == "persistent" else base


def test_kill_9_of_the_owner_leaves_no_process_no_socket_and_no_temporary_data(
    marked, owned, traces_of, wait_until
):
    kind, base = owned
    owner = marked.start(OWNER, base, kind)
    with owner:
        assert owner.stdout.readline() == "up\n"
        assert traces_of(base)
        owner.kill()
    assert wait_until(lambda: not marked.living() and not traces_of(base), 6)
    assert base.exists() == (kind == "persistent")


def test_engines_that_were_killed_recover_at_the_next_start(services, lived_in):
    first = services(lived_in)
    urls = first.start()
    with psycopg.connect(urls.database_url, autocommit=True) as connection:
        connection.execute("create table recovered as select 1 as one")
    first.kill()
    first.stop()
    urls = services(lived_in).start()
    with psycopg.connect(urls.database_url) as connection:
        assert connection.execute("select one from recovered").fetchone() == (1,)


def test_an_engine_that_dies_is_noticed_with_its_last_words(services, lived_in, wait_until):
    one = services(lived_in)
    one.start()
    assert one.problem() is None
    os.kill(one.postgres._process.pid, signal.SIGINT)
    assert wait_until(lambda: one.problem() is not None)
    assert "postgres ended with status 0" in one.problem()
    assert "database system is shut down" in one.problem()


@pytest.mark.parametrize("rival", ["living", "zombie"])
def test_a_stale_pid_file_naming_another_process_blocks_no_start(services, lived_in, rival):
    ended = zombie()
    pid = os.getppid() if rival == "living" else ended.pid
    (lived_in / "pg" / "postmaster.pid").write_text(f"{pid}\n{lived_in / 'pg'}\n")
    assert services(lived_in).start()
    ended.wait()


def test_engines_that_outlived_their_owner_are_ended_first(services, lived_in):
    """As on a system without parent-death signals: the lock is free, the servers are not gone."""
    forgotten = services(lived_in)
    forgotten.start()
    forgotten._lock.release()
    before = set(processes.living_in(lived_in / "pg"))
    successor = services(lived_in)
    successor.start()
    assert forgotten.problem() is not None
    assert before.isdisjoint(processes.living_in(lived_in / "pg"))
    successor.stop()


def test_a_bad_configuration_line_stops_the_start_and_is_shown(services, lived_in):
    settings = lived_in / "pg" / "postgresql.auto.conf"
    kept = settings.read_text()
    settings.write_text(f"{kept}max_connection = 'many'\n")
    try:
        with pytest.raises(StackError, match='configuration parameter "max_connection"'):
            services(lived_in).start()
    finally:
        settings.write_text(kept)
    assert processes.living_in(lived_in / "valkey") == []
