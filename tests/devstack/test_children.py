import io
import os
import sys
import time

import pytest

from devstack import children as module
from devstack.children import Children
from devstack.errors import StackError
from devstack.guard import Guard
from devstack.place import ROOT
from devstack.terminal import Terminal


@pytest.fixture
def family(marked):
    shown = io.StringIO()
    guard = Guard()
    family = Children(Terminal(shown), guard)

    def start(name, program):
        return family.start(
            name, [sys.executable, "-u", "-c", program], environ=marked.environ(), folder=ROOT
        )

    family.begin, family.shown = start, shown
    yield family
    family.stop()
    guard.close()
    assert marked.living() == []


def test_every_line_carries_the_name_of_its_speaker(family):
    family.begin("web", "print('one\\ntwo'); print('no end of line', end='')")
    with pytest.raises(StackError):
        family.wait_for(lambda: False, seconds=10, what="nothing")
    assert family.shown.getvalue().splitlines() == [
        "web       | one",
        "web       | two",
        "web       | no end of line",
    ]


def test_the_first_death_is_told_with_its_last_words(family):
    family.begin("beat", "import time; time.sleep(60)")
    family.begin("worker", "import sys; print('cannot go on'); sys.exit(3)")
    with pytest.raises(StackError) as refusal:
        family.wait_for(lambda: False, seconds=10, what="nothing")
    assert str(refusal.value) == ("worker ended with status 3; its last lines:\n    cannot go on")


def test_waiting_ends_at_its_deadline(family):
    family.begin("web", "import time; time.sleep(60)")
    with pytest.raises(StackError, match="the page: not ready after 0 s"):
        family.wait_for(lambda: False, seconds=0.2, what="the page")


def test_who_ignores_term_is_killed_with_its_children(family, marked, monkeypatch, wait_until):
    usual = module.STOP_SECONDS
    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    stubborn = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    )
    family.begin("web", f"import os\nos.fork()\n{stubborn}")
    family.wait_for(lambda: family.shown.getvalue().count("deaf") == 2, seconds=10, what="both")
    started = time.monotonic()
    family.stop()
    assert time.monotonic() - started < usual
    assert wait_until(lambda: marked.living() == [])


def test_more_words_than_a_pipe_holds_are_all_shown(family):
    lines = 20_000
    child = family.begin("web", f"for i in range({lines}): print('line', i)")
    family.wait_for(
        lambda: child.process.poll() is not None, seconds=20, what="end", finishing=child
    )
    family.stop()
    assert family.shown.getvalue().count("\n") == lines


def test_a_reader_that_went_away_does_not_stop_the_work():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        terminal = Terminal(stream)
        terminal.say("web", "to nobody")
        terminal.say("web", "still at work")
