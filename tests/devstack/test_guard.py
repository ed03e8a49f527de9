import os
import subprocess
import sys
from contextlib import suppress

FAMILY = """
import os, signal, subprocess, sys, time
from pathlib import Path
from devstack import processes
from devstack.guard import Guard
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {stubborn!r}])"
guard = Guard()
for text in (stubborn, parent + "; time.sleep(60)"):
    child = processes.spawn([sys.executable, "-c", text], output=subprocess.DEVNULL,
        farewell=signal.SIGTERM, environ=os.environ, folder=Path("/"))
    guard.watch(child.pid, signal.SIGTERM)
guard.remove(Path(sys.argv[1]))
print("up", flush=True)
if sys.argv[2] == "dismissed":
    guard.close()
else:
    time.sleep(60)
"""


def test_children_and_grandchildren_that_ignore_term_die_with_a_killed_owner(
    marked, wait_until, tmp_path
):
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    with marked.start(FAMILY, doomed, "killed") as owner:
        assert owner.stdout.readline() == "up\n"
        assert wait_until(lambda: len(marked.living()) == 5)
        owner.kill()
    assert wait_until(lambda: not marked.living(), 20)
    assert not doomed.exists()


def test_a_dismissed_guard_ends_and_removes_nothing(marked, wait_until, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    program = FAMILY.replace("sys.argv[2] ==", "guard.forget(child.pid) or sys.argv[2] ==")
    with marked.start(program, kept, "dismissed") as owner:
        assert owner.wait(10) == 0
    assert kept.exists()


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone(monkeypatch):
    from devstack import guard

    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    ) as stranger:
        charge = guard.Charge()
        charge.hear(f"watch {stranger.pid} 15")
        charge.processes[stranger.pid] = (15, "born at another time")
        monkeypatch.setattr(guard, "GRACE", 0.1)
        charge.discharge()
        with suppress(subprocess.TimeoutExpired):
            stranger.wait(0.2)
        assert stranger.poll() is None
        os.kill(stranger.pid, 9)
