"""A migration that would stop a running gateway is refused, with what to do instead."""

import subprocess
import sys

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from devstack import migration_rules
from devstack.migration_rules import migration_problems, problems_of
from devstack.place import ROOT

INDEX = models.Index(fields=["name"], name="app_name")


def migration(*operations, atomic=True, **said):
    members = {"operations": list(operations), "atomic": atomic, **said}
    return type("Migration", (migrations.Migration,), members)("0009_x", "crm")


def told(*operations, **said):
    return [why for _, why in problems_of(migration(*operations, **said))]


def test_the_migrations_of_this_checkout_are_safe():
    assert migration_problems() == []


def test_the_rules_hold_for_what_came_after_the_first_release():
    added = [migration.name for migration in migration_rules.added_migrations()]
    assert "0004_tally_and_traces" in added
    assert not {"0001_initial", "0002_ledger"} & set(added)


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        (migrations.AddIndex("app", INDEX), "AddIndexConcurrently"),
        (migrations.RemoveIndex("app", "x"), "RemoveIndexConcurrently"),
        (migrations.AddField("app", "x", models.TextField(default="")), "db_default"),
        (migrations.AddField("app", "x", models.TextField(null=True, unique=True)), "lock"),
        (migrations.AddField("app", "x", models.TextField(null=True, db_index=True)), "lock"),
        (
            migrations.AddField("app", "x", models.ForeignKey("crm.User", models.CASCADE)),
            "db_default",
        ),
        (migrations.AlterField("app", "name", models.TextField()), "rewrite"),
        (migrations.RenameField("app", "name", "title"), "old code"),
        (migrations.RenameModel("App", "Tenant"), "old code"),
        (migrations.AlterModelTable("app", "x"), "old code"),
        (migrations.RemoveField("app", "name"), "two releases"),
        (migrations.DeleteModel("App"), "two releases"),
        (migrations.RunSQL("UPDATE crm_app SET name = ''"), "nobody can tell"),
        (migrations.RunPython(migrations.RunPython.noop), "batches"),
        (
            migrations.AddConstraint(
                "app", models.CheckConstraint(condition=models.Q(name=""), name="x")
            ),
            "NOT VALID",
        ),
        (
            migrations.SeparateDatabaseAndState([migrations.RemoveField("app", "name")]),
            "two releases",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_stops_or_breaks_others_is_refused(operation, why):
    [wrong] = told(operation)
    assert why in wrong


@pytest.mark.parametrize(
    "operation",
    [
        migrations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))]),
        migrations.AddField("app", "x", models.TextField(null=True)),
        migrations.AddField("app", "x", models.BooleanField(default=False, db_default=False)),
    ],
)
def test_what_is_done_in_an_instant_is_not(operation):
    assert told(operation) == []


def test_a_table_made_in_the_same_migration_is_nobodys_yet():
    fresh = migrations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))])
    assert told(fresh, migrations.AddIndex("fresh", INDEX)) == []


def test_concurrent_indexes_have_a_migration_of_their_own():
    index = AddIndexConcurrently("app", INDEX)
    assert told(index, atomic=False) == []
    nullable = migrations.AddField("app", "x", models.TextField(null=True))
    assert told(nullable, index, atomic=False) != []


def test_an_exception_is_named_and_reasoned():
    remove = migrations.RemoveField("app", "name")
    named = {"RemoveField crm.app.name": "unused since 0.3.0"}
    assert told(remove, reviewed=named) == []
    assert told(remove, reviewed={"RemoveField crm.app.name": " "}) != []
    assert told(remove, reviewed={"RemoveField crm.app.title": "unused"}) != []


def test_make_check_says_so():
    done = subprocess.run(
        [sys.executable, "-m", "devstack", "check", "migration rules"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "migration rules" in done.stdout
