import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devstack import bootstrap
from devstack.place import ROOT

LISTENER = "import sys; print('became', sys.prefix, *sys.argv[1:])"


@pytest.fixture
def checkout(tmp_path):
    """A checkout with nothing to install, whose commands only say that they were reached."""
    root = tmp_path / "a checkout"
    (root / "devstack").mkdir(parents=True)
    shutil.copy(ROOT / "devstack" / "bootstrap.py", root / "devstack")
    (root / "devstack" / "__main__.py").write_text(LISTENER)
    (root / "requirements-dev.lock").write_text("# nothing\n")
    return root


def call(checkout, *arguments, **environ):
    return subprocess.run(
        [sys.executable, checkout / "devstack" / "bootstrap.py", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={**os.environ, **environ},
    )


def installed(root):
    """Pretend that an environment was completed here."""
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (root / ".venv" / ".stamp").write_text(bootstrap.environment_stamp(root))


def test_an_empty_clone_becomes_a_running_command_and_stays_installed(checkout):
    first = call(checkout, "run", "two words")
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0] == "bootstrap: building .venv: 0 pinned packages, about 60 MB ..."
    assert lines[1].startswith("bootstrap: built .venv in ")
    assert lines[2] == f"became {checkout / '.venv'} run two words"
    again = call(checkout, "test")
    assert again.stdout == f"became {checkout / '.venv'} test\n"


def test_who_wants_no_bytecode_beside_the_sources_has_it_in_the_environment(checkout):
    (checkout / "devstack" / "other.py").write_text("")
    (checkout / "devstack" / "__main__.py").write_text("import devstack.other")
    unwanted = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": ""}
    assert call(checkout, "test", **unwanted).returncode == 0
    assert not list((checkout / "devstack").rglob("*.pyc"))
    assert list((checkout / ".venv" / "bytecode").rglob("other.*.pyc"))


def test_what_was_installed_counts_only_for_this_lock_python_and_place(checkout, monkeypatch):
    assert not bootstrap.is_installed(checkout)
    installed(checkout)
    assert bootstrap.is_installed(checkout)

    moved = checkout.rename(checkout.with_name("moved"))
    assert not bootstrap.is_installed(moved)
    moved.rename(checkout)
    monkeypatch.setattr(bootstrap.platform, "python_version", lambda: "3.99.0")
    assert not bootstrap.is_installed(checkout)
    monkeypatch.undo()
    with (checkout / "requirements-dev.lock").open("a") as lock:
        lock.write("one-more==1.0\n")
    assert not bootstrap.is_installed(checkout)


def test_an_install_that_failed_does_not_count(checkout, monkeypatch):
    installed(checkout)
    (checkout / "requirements-dev.lock").write_text("another==1\n")
    monkeypatch.setattr(sys, "_base_executable", "/bin/false")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(bootstrap.CannotInstall, match="-m venv failed"):
        bootstrap.ensure_environment(checkout)
    assert not bootstrap.is_installed(checkout)


def test_an_old_python_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 4))
    monkeypatch.setattr(bootstrap.platform, "python_version", lambda: "3.10.4")
    monkeypatch.setattr(bootstrap.shutil, "which", {"python3.12": "/bin/python3.12"}.get)
    with pytest.raises(bootstrap.CannotInstall) as refusal:
        bootstrap.check_python()
    assert str(refusal.value) == (
        "Python 3.11 or newer is needed, this is 3.10.4: make PYTHON=python3.12 ..."
    )


def test_a_python_without_venv_names_the_package_that_brings_it(monkeypatch, checkout):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(bootstrap.CannotInstall, match="apt-get install python3-venv"):
        bootstrap.install_with_pip(checkout / ".venv", checkout / "lock", sys.executable, 0)


def test_two_bootstraps_of_one_checkout_take_turns(checkout, capsys):
    path, order = checkout / ".bootstrap.lock", []

    def second():
        with bootstrap.only_one(path):
            order.append("second")

    waiting = threading.Thread(target=second)
    with bootstrap.only_one(path):
        waiting.start()
        waiting.join(0.5)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]
    assert "another bootstrap is at work" in capsys.readouterr().out


def test_uv_is_only_asked_where_it_sees_the_same_packages_as_pip(monkeypatch):
    monkeypatch.setattr(bootstrap, "PIP_FILES", ())
    assert not bootstrap.pip_is_configured({})
    assert bootstrap.pip_is_configured({"PIP_INDEX_URL": "https://packages.invalid"})
    monkeypatch.setattr(bootstrap, "PIP_FILES", (str(Path(__file__)),))
    assert bootstrap.pip_is_configured({})


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux tells a child")
def test_a_command_started_by_make_ends_when_make_is_killed(marked, tmp_path, wait_until):
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from devstack import bootstrap;"
    program += "bootstrap.end_with_make(); print('up', flush=True); import time; time.sleep(60)"
    (tmp_path / "Makefile").write_text(f'run:\n\t@exec "{sys.executable}" -c "{program}"\n')
    with subprocess.Popen(
        ["make", "run"], cwd=tmp_path, env=marked.environ(), stdout=subprocess.PIPE, text=True
    ) as make:
        assert make.stdout.readline() == "up\n"
        make.kill()
    assert wait_until(lambda: marked.living() == [], 5)
