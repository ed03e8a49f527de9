"""What the database has of this checkout's schema, found out without the cost of asking Django."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

Mark = Mapping[str, Any]
"""A database by a digest, what was applied to it, and how each migration looked then."""


def schema_mark(root: Path, database_url: str) -> dict[str, Any] | None:
    """Return what changes whenever a migration is written, applied or taken back.

    None where no migration was ever applied, or the database cannot be asked here.
    """
    applied = _applied(database_url)
    if not applied:
        return None
    lock = hashlib.sha256((root / "requirements-dev.lock").read_bytes()).hexdigest()
    where = hashlib.sha256(database_url.encode()).hexdigest()
    return {"database": where, "applied": applied, "lock": lock, "forms": _forms(root)}


def rewritten(then: Mark | None, now: Mark | None) -> list[str]:
    """Return migrations a database was made by in another form than they have now.

    Migrations are only added; one that was changed on a branch is applied no second time.
    """
    if not then or not now or then["database"] != now["database"]:
        return []
    known, forms = then["forms"], now["forms"]
    return [m for m in now["applied"] if m in known and known[m] != forms.get(m)]


def _applied(database_url: str) -> list[str]:
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY id")
            return [f"{app}.{name}" for app, name in rows]
    except psycopg.Error:
        return []


def _forms(root: Path) -> dict[str, str]:
    paths = sorted([*root.glob("*/migrations/0*.py"), *root.glob("*/*/migrations/0*.py")])
    named = {f"{path.parent.parent.name}.{path.stem}": path.read_bytes() for path in paths}
    return {name: hashlib.sha256(text).hexdigest() for name, text in named.items()}
