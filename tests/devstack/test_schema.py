import psycopg
import pytest

from devstack.schema import rewritten, schema_mark


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one migration."""
    folder = tmp_path / "checkout" / "crm" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").write_text("first form")
    (folder.parent.parent / "requirements-dev.lock").write_text("")
    return folder.parent.parent


@pytest.fixture
def database(services, base):
    """A database to which that migration was applied."""
    url = services(base).start().environment()["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE django_migrations (id serial, app text, name text)")
        connection.execute("INSERT INTO django_migrations VALUES (1, 'crm', '0001_initial')")
    return url


def test_a_migration_rewritten_since_it_was_applied_is_named(checkout, database):
    known = schema_mark(checkout, database)
    assert rewritten(known, schema_mark(checkout, database)) == []

    (checkout / "crm" / "migrations" / "0001_initial.py").write_text("second form")
    assert schema_mark(checkout, database) != known
    assert rewritten(known, schema_mark(checkout, database)) == ["crm.0001_initial"]


def test_a_new_migration_is_nothing_to_complain_of(checkout, database):
    known = schema_mark(checkout, database)
    (checkout / "crm" / "migrations" / "0002_more.py").write_text("new")

    assert schema_mark(checkout, database) != known
    assert rewritten(known, schema_mark(checkout, database)) == []


def test_what_was_known_of_another_database_says_nothing_of_this_one(checkout, database):
    known = {**schema_mark(checkout, database), "database": "another"}
    (checkout / "crm" / "migrations" / "0001_initial.py").write_text("second form")

    assert rewritten(known, schema_mark(checkout, database)) == []


def test_a_database_without_history_has_no_mark(checkout, services, base):
    url = services(base).start().environment()["DATABASE_URL"]

    assert schema_mark(checkout, url) is None
    assert rewritten({}, schema_mark(checkout, url)) == []
