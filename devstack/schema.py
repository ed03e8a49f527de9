"""Whether the database already has this checkout's schema, without the cost of asking Django."""

import hashlib
from pathlib import Path

import psycopg

HISTORY = "select count(*), max(id) from django_migrations"


def schema_mark(root: Path, database_url: str) -> str | None:
    """Return what changes whenever a migration is written, applied or taken back.

    None where no migration was ever applied, or the database cannot be asked here.
    """
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            history = connection.execute(HISTORY).fetchone()
    except psycopg.Error:
        return None
    digest = hashlib.sha256(f"{database_url} {history}".encode())
    for path in [root / "requirements-dev.lock", *sorted(root.glob("*/migrations/*.py"))]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
