import contextlib
import json
import os
import signal
import socket
import stat
import urllib.request

import psycopg
import pytest

from devstack import ports
from devstack.attach import engines, is_running
from devstack.errors import StackError
from devstack.place import Place

STACK = """
import sys
from pathlib import Path
from devstack import programs
from devstack.place import Place
from devstack.supervisor import Stack
from devstack.terminal import Terminal

def prepare(environ, facts, url):
    assert environ["DATABASE_URL"] and environ["REDIS_URL"] and environ["SECRET_KEY"]
    return {
        "base_url": url,
        "admin": {"url": url + "/admin/", "user": "admin", "password": "secret"},
        "app": {"api_key": "api", "server_key": "server"},
        "simulator": facts,
    }

exec(sys.argv[3])
sys.exit(Stack(place=Place(Path(sys.argv[1])), port=int(sys.argv[2]), prepare=prepare,
               terminal=Terminal()).run())
"""
# everything of ours replaced by programs of one line; the engines stay real
SMALL = """
LISTENING = '''{"phones_url": "", "apns_url": "", "fcm_url": "", "control_url": ""}'''
def small(text):
    return [sys.executable, "-c", text]
facts = Path(sys.argv[1], "simulator", "facts.json")
programs.simulator = lambda folder, ports: small(
    f"from pathlib import Path; import time; Path({str(folder)!r}).mkdir(exist_ok=True);"
    f"Path({str(facts)!r}).write_text({LISTENING!r}); time.sleep(60)")
programs.migrate = lambda: small("")
programs.web = lambda port: small('''
from http.server import BaseHTTPRequestHandler, HTTPServer
class Fine(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
HTTPServer(("127.0.0.1", %d), Fine).serve_forever()
''' % port)
programs.worker = lambda: small(
    "import time; print('small@worker ready.', flush=True); time.sleep(60)")
programs.urgent_worker = lambda: small("import time; time.sleep(60)")
programs.beat = lambda: small(
    "import sys, time; print('cannot tick', flush=True); time.sleep(1); sys.exit(7)")
"""


class Started:
    """A stack in a process of its own, and what it has said so far."""

    def __init__(self, marked, place, log, changes=""):
        self.port = ports.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        with log.open("wb") as output:
            self.process = marked.start(STACK, place.base, self.port, changes, output=output)

    def words(self):
        return self.log.read_text()

    def ready(self):
        assert self.process.poll() is None, self.words()
        return f"\nREADY {self.url}\n" in self.words()


@pytest.fixture
def place(lived_in):
    return Place(lived_in)


@pytest.fixture
def start(marked, place, tmp_path):
    with contextlib.ExitStack() as running:

        def one(changes=""):
            started = Started(
                marked, place, tmp_path / f"{len(list(tmp_path.iterdir()))}.log", changes
            )
            running.enter_context(started.process)
            running.callback(started.process.kill)
            return started

        yield one


def test_the_whole_stack_gets_ready_and_nothing_of_it_survives_kill_9(
    start, place, marked, wait_until, traces_of
):
    first = start()
    assert wait_until(first.ready, 60), first.words()
    with urllib.request.urlopen(f"{first.url}/readyz", timeout=10) as answer:
        assert answer.status == 200
    demo = json.loads(place.demo.read_text())
    assert demo["base_url"] == first.url
    assert demo["simulator"]["apns"]["key_file"].startswith(str(place.base))
    assert stat.S_IMODE(place.demo.stat().st_mode) == 0o600

    with engines(place) as environ, psycopg.connect(environ["DATABASE_URL"]) as connection:
        found = connection.execute("select count(*) from django_migrations").fetchone()
        assert found[0] > 0
    second = start()
    assert second.process.wait(10) == 1
    assert f"already running here (pid {first.process.pid})" in second.words()
    assert is_running(place)

    assert len(marked.living()) > 8  # with the worker's pool and the web server's worker
    first.process.kill()
    assert wait_until(lambda: not marked.living() and not traces_of(place.base), 20)
    assert not place.demo.exists()


def test_one_death_stops_all_and_tells_its_last_words(start, place, marked, traces_of):
    stack = start(SMALL)
    assert stack.process.wait(20) == 1
    assert "beat ended with status 7; its last lines:" in stack.words()
    assert "stack     |     cannot tick" in stack.words()
    assert marked.living() == []
    assert traces_of(place.base) == []


def test_ctrl_c_stops_in_order_and_the_data_stays(start, wait_until, place, marked, traces_of):
    patient = SMALL.replace("time.sleep(1); sys.exit(7)", "time.sleep(60)")
    stack = start(patient)
    assert wait_until(stack.ready, 20), stack.words()
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(10) == 0
    assert marked.living() == []
    assert traces_of(place.base) == []
    assert not place.demo.exists()
    assert "was not properly shut down" not in (place.base / "postgres.log").read_text()
    assert (place.base / "pg" / "PG_VERSION").is_file()


def test_an_engine_that_dies_stops_all(start, wait_until, place, marked):
    stack = start(SMALL.replace("time.sleep(1); sys.exit(7)", "time.sleep(60)"))
    assert wait_until(stack.ready, 20), stack.words()
    os.kill(int((place.base / "pg" / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
    assert stack.process.wait(20) == 1
    assert "postgres ended with status 0" in stack.words()
    assert marked.living() == []


def test_a_second_ctrl_c_kills_what_the_first_could_not_stop(start, wait_until, marked):
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN)"
    deaf += "; print('deaf', flush=True); time.sleep(60)"
    # who is not killed would be waited for longer than this test waits
    patient = "from devstack import children\nchildren.STOP_SECONDS = 120"
    stack = start(f"{SMALL}\nprograms.beat = lambda: small({deaf!r})\n{patient}")
    assert wait_until(lambda: "| deaf" in stack.words(), 20), stack.words()
    assert wait_until(stack.ready, 20), stack.words()
    stack.process.send_signal(signal.SIGINT)
    assert wait_until(lambda: "stopping" in stack.words())
    assert not wait_until(lambda: stack.process.poll() is not None, 1)
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(30) == 0
    assert marked.living() == []


def test_a_taken_port_is_refused_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} is taken .*: make run PORT="):
            ports.check_port(port)


@pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", "8000 "])
def test_a_wrong_port_is_one_clear_line(text):
    with pytest.raises(StackError, match="PORT must be a number from 1 to 65535"):
        ports.read_port(text)
