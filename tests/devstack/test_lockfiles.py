import pytest

from devstack.lockfiles import lock_problems, pins
from devstack.place import ROOT

PROJECT = """
[project]
dependencies = ["Django>=5.2", "psycopg[binary]>=3", "aioapns==4.0"]
[dependency-groups]
dev = ["pytest>=9"]
flower = ["flower>=2"]
"""
HASH = " \\\n    --hash=sha256:00\n"
SHIPPED = f"aioapns==4.0{HASH}django==5.2.19{HASH}psycopg==3.3.9{HASH}"
DEVELOPMENT = f"{SHIPPED}pytest==9.2.0 ; python_version > '3'{HASH}"


@pytest.fixture
def problems(tmp_path):
    def write(shipped=SHIPPED, development=DEVELOPMENT, flower=f"flower==2.2{HASH}"):
        (tmp_path / "pyproject.toml").write_text(PROJECT)
        (tmp_path / "requirements.lock").write_text(shipped)
        (tmp_path / "requirements-dev.lock").write_text(development)
        (tmp_path / "requirements-flower.lock").write_text(flower)
        return lock_problems(tmp_path)

    return write


def test_our_own_lock_files_keep_their_promise():
    assert lock_problems(ROOT) == []
    assert len(pins((ROOT / "requirements-dev.lock").read_text())) > 50


def test_what_celery_would_load_into_every_process_is_kept_apart():
    apart = pins((ROOT / "requirements-flower.lock").read_text())
    assert "flower" in apart
    assert not set(apart) & set(pins((ROOT / "requirements-dev.lock").read_text()))


def test_locks_that_agree_with_the_project_have_no_problem(problems):
    assert problems() == []


def test_a_dependency_that_is_not_pinned_is_named(problems):
    assert problems(shipped=SHIPPED.replace("django==5.2.19", "djangx==5.2.19")) == [
        "requirements.lock: django is not pinned",
        "requirements-dev.lock: djangx is missing, requirements.lock has 5.2.19",
    ]


def test_what_is_kept_apart_is_pinned_too(problems):
    assert problems(flower="") == ["requirements-flower.lock: flower is not pinned"]


def test_a_pin_that_contradicts_the_project_is_named(problems):
    moved = DEVELOPMENT.replace("aioapns==4.0", "aioapns==4.1")
    assert problems(development=moved) == [
        "requirements-dev.lock: aioapns is pinned to 4.1, pyproject says 4.0",
        "requirements-dev.lock: aioapns is 4.1, requirements.lock has 4.0",
    ]


def test_a_pin_without_a_hash_is_named(problems):
    assert problems(development=DEVELOPMENT.replace(f"3.3.9{HASH}", "3.3.9\n")) == [
        "requirements-dev.lock: psycopg==3.3.9 has no hash"
    ]


def test_a_lock_that_names_a_host_is_refused(problems):
    assert problems(shipped=f"--index-url https://packages.invalid/simple\n{SHIPPED}") == [
        "requirements.lock: names a package host"
    ]
