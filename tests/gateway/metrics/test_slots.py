"""Slots: held by the living, freed by the kernel, never more than there were processes."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.place import ROOT
from gateway.metrics.family import Family, merged
from gateway.metrics.slots import ROOM, Slots, is_held, join_family

HOLD = """
import sys, time
from pathlib import Path
from gateway.metrics.slots import Slots
held = Slots(Path(sys.argv[1])).take()
print(held.number, flush=True)
time.sleep(60)
"""


@pytest.fixture
def slots(tmp_path):
    """Give a family's slots, all of them free."""
    slots, held = join_family(tmp_path / "base", "worker", 1)
    os.close(held.descriptor)
    return slots


@pytest.fixture
def holder(slots):
    """Start a process that takes a slot, and give it with the slot's number."""
    started = []

    def start(folder: Path = slots.folder):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_each_that_lives_has_a_slot_of_its_own(slots, holder):
    processes = [holder() for _ in range(3)]
    assert [number for _, number in processes] == [0, 1, 2]
    assert slots.living() == {number: process.pid for process, number in processes}


def test_a_slot_is_free_however_its_holder_ended_and_is_the_next_to_be_taken(slots, holder):
    (_, _), (middle, _), (_, _) = holder(), holder(), holder()
    end(middle)
    assert sorted(slots.living()) == [0, 2]
    assert holder()[1] == 1


def test_counts_stay_with_a_slot_and_gauges_go_with_their_holder(slots, holder):
    holder()
    second, number = holder()
    for name in (f"counter_{number}.db", f"gauge_livesum_{number}.db"):
        (slots.folder / name).write_bytes(b"")
    assert len(slots.files()) == 2
    end(second)
    assert [Path(path).name for path in slots.files()] == [f"counter_{number}.db"]
    holder()
    assert not list(slots.folder.glob("gauge_*"))
    assert list(slots.folder.glob("counter_*"))


def test_the_first_of_a_family_begins_with_nothing(slots, holder):
    first, _ = holder()
    (slots.folder / "counter_0.db").write_bytes(b"")
    end(first)
    assert holder()[1] == 0
    assert not list(slots.folder.glob("counter_*"))


def test_a_family_nobody_is_left_of_is_removed_by_the_next(tmp_path, slots):
    living, held = join_family(tmp_path / "base", "tick", 2)
    assert not slots.folder.exists()
    _, another = join_family(tmp_path / "base", "worker", 3)
    assert living.folder.exists()
    os.close(held.descriptor)
    os.close(another.descriptor)


def test_a_family_is_never_seen_before_somebody_belongs_to_it(tmp_path, monkeypatch):
    """Else whoever starts at the same moment removes it, and its processes count alone."""
    kept_out, take = [], Slots.take

    def taken(slots):
        kept_out.append(is_held(tmp_path / "base" / "base.lock"))
        return take(slots)

    monkeypatch.setattr(Slots, "take", taken)
    _, held = join_family(tmp_path / "base", "web", 1)
    os.close(held.descriptor)
    assert kept_out == [True]


def test_a_folder_of_somebody_elses_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError):
        join_family(tmp_path / "link", "web", 1)


def test_who_asks_takes_nothing(slots, holder):
    holder()
    before = sorted(path.name for path in slots.folder.iterdir())
    assert Slots(slots.folder).living().keys() == {0}
    assert sorted(path.name for path in slots.folder.iterdir()) == before


def test_its_room_is_taken_at_once_or_not_at_all(slots):
    held = slots.take()
    slots.reserve(held.number)
    sizes = {path.name: path.stat() for path in slots.folder.glob("*.db")}
    assert sizes.keys() == {f"{kind}_0.db" for kind in ROOM}
    assert all(stat.st_blocks * 512 >= stat.st_size > 0 for stat in sizes.values())
    assert list(merged(slots.files())) == []
    os.close(held.descriptor)


def test_who_scrapes_while_room_is_taken_reads_no_half_made_file(slots, monkeypatch):
    held, seen = slots.take(), []
    take_room = os.posix_fallocate

    def scraped(*asked):
        seen.append(list(merged(slots.files())))
        take_room(*asked)

    monkeypatch.setattr(os, "posix_fallocate", scraped)
    slots.reserve(held.number)
    assert seen == [[]] * len(ROOM)
    assert not list(slots.folder.glob("*.new"))
    os.close(held.descriptor)


def test_without_room_a_process_goes_on_alone(tmp_path, settings, monkeypatch, caplog):
    settings.METRICS_DIR = str(tmp_path / "base")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    family = Family()
    family.join("worker", 1)
    assert family.slots is None
    assert "No space left" in caplog.text


FORK = """
import os, sys
from gateway.metrics.family import family
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
family.join("worker", 7)
from prometheus_client import Counter
Counter("another", "Of a library in this process.", ["by"]).labels("it").inc()
counted = Counter("gateway_forked", "Forks.", ["by"])
counted.labels("parent").inc()
for _ in range(3):
    if not (pid := os.fork()):
        counted.labels("child").inc(2)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
from gateway.metrics.exposition import exposition
print(exposition().decode())
print("files", len(list(family.slots.folder.glob("counter_*"))))
"""


def test_forked_children_count_beside_their_parent_and_share_one_slot_in_turn(tmp_path):
    environ = {**os.environ, "GATEWAY_METRICS_DIR": str(tmp_path / "base")}
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'gateway_forked_total{by="parent"} 1.0' in done.stdout
    assert 'gateway_forked_total{by="child"} 6.0' in done.stdout
    assert "gateway_processes 1.0" in done.stdout
    assert "files 2" in done.stdout
    assert "another" not in done.stdout
