"""Which migrations are safe while the gateway runs on the tables they change (CONTRIBUTING.md).

Looks at the operations of every migration after the first release's. A migration that breaks a rule
on purpose says why: `reviewed = {"RemoveField crm.app.name": "unused since 0.3.0"}` in its class.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations import base

from devstack.place import ROOT

BASELINE: Mapping[str, str] = {
    "crm": "0001_initial",
    "delivery": "0002_ledger",
    "templates_app": "0001_initial",
}
"""The last migration of each app before the rules held: the tables were empty for everybody."""

Problem = tuple[str, str]
"""An operation, as `reviewed` names it, and what is wrong with it."""


def migration_problems() -> list[str]:
    """Give a line for each operation that would stop or break a running gateway."""
    return [
        f"{migration.app_label}.{migration.name}: {operation}: {wrong}"
        for migration in added_migrations()
        for operation, wrong in problems_of(migration)
    ]


def added_migrations() -> Iterator[migrations.Migration]:
    """Give the migrations of this checkout's apps the rules hold for."""
    for app in apps.get_app_configs():
        folder = Path(app.path)
        if not folder.is_relative_to(ROOT) or folder.is_relative_to(ROOT / ".venv"):
            continue
        for path in sorted((folder / "migrations").glob("0*.py")):
            if path.stem > BASELINE.get(app.label, ""):
                module = import_module(f"{app.name}.migrations.{path.stem}")
                yield module.Migration(path.stem, app.label)


def problems_of(migration: migrations.Migration) -> Iterator[Problem]:
    """Give what is wrong with a migration, but for what it says was reviewed."""
    reviewed: Mapping[str, str] = getattr(migration, "reviewed", {})
    fresh: set[str] = set()
    for operation in _flat(migration.operations):
        if isinstance(operation, migrations.CreateModel):
            fresh.add(operation.name.lower())
        name = _name(migration.app_label, operation)
        wrong = _wrong(operation, fresh=fresh, atomic=migration.atomic)
        if wrong and not reviewed.get(name, "").strip():
            yield name, wrong
    yield from _mixed(migration)


def _mixed(migration: migrations.Migration) -> Iterator[Problem]:
    # outside a transaction a failure half-way leaves the first half
    concurrent = [o for o in migration.operations if isinstance(o, CONCURRENT)]
    if not migration.atomic and concurrent and len(concurrent) != len(migration.operations):
        yield "Migration", "concurrent indexes have a migration of their own, or half of it stays"


CONCURRENT = (AddIndexConcurrently, RemoveIndexConcurrently)


def _flat(operations: Sequence[base.Operation]) -> Iterator[base.Operation]:
    for operation in operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _name(app: str, operation: base.Operation) -> str:
    model = getattr(operation, "model_name", None) or getattr(operation, "name", "")
    field = getattr(operation, "name", "") if hasattr(operation, "model_name") else ""
    words = ".".join(filter(None, (app, str(model or "").lower(), str(field or "").lower())))
    return f"{type(operation).__name__} {words}"


def _wrong(operation: base.Operation, *, fresh: set[str], atomic: bool) -> str | None:
    if str(getattr(operation, "model_name", "") or "").lower() in fresh:
        return None  # nobody uses a table made in the same migration
    match operation:
        case migrations.AddField():
            return _wrong_field(operation.field)
        case migrations.RunPython():
            return None if not atomic else "goes in batches, outside a transaction: atomic = False"
        case _ if isinstance(operation, CONCURRENT):
            return None
    return next((why for kind, why in REFUSED if isinstance(operation, kind)), None)


def _wrong_field(field: "models.Field[Any, Any]") -> str | None:
    if isinstance(field, models.GeneratedField):
        return "a stored generated column rewrites the table under an exclusive lock"
    if field.many_to_many:
        return None
    if not field.null and not field.has_db_default():
        return "old code inserts rows without it: null=True, or db_default"
    if field.unique or getattr(field, "db_index", False):
        return "its index is built under a lock: add it without, then AddIndexConcurrently"
    return None


TWICE = "two releases: code that does not use it first, this afterwards"

REFUSED: tuple[tuple[type[base.Operation], str], ...] = (
    (migrations.AddIndex, "writes wait while it is built: AddIndexConcurrently"),
    (migrations.RemoveIndex, "readers wait for it: RemoveIndexConcurrently"),
    (migrations.AddConstraint, "every row is checked under a lock: NOT VALID, then validate"),
    (migrations.AlterUniqueTogether, "its index is built under a lock"),
    (migrations.AlterField, "may rewrite the table: a new column, filled in batches"),
    (migrations.RenameField, "old code asks for the old name: a new column"),
    (migrations.RenameModel, "old code asks for the old table"),
    (migrations.AlterModelTable, "old code asks for the old table"),
    (migrations.RemoveField, TWICE),
    (migrations.DeleteModel, TWICE),
    (migrations.RunSQL, "nobody can tell what it locks"),
)
"""What is refused on a table that was there before, and what to do instead."""


def main() -> int:
    """Print what is wrong with the migrations of this checkout, and return an exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    os.environ.setdefault("SECRET_KEY", "no secret is looked at here")
    django.setup()
    problems = migration_problems()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
