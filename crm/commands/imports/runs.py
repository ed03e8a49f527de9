"""How far a file has come: what is stored and how much of it is read are written together."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from psycopg.errors import DeadlockDetected, LockNotAvailable

from crm.errors import Conflict
from crm.models import App, ImportRun

T = TypeVar("T")
Counts = tuple[int, int]

PATIENCE = 50
"""Milliseconds an import waits for a lock: far less than Postgres takes to see a deadlock, so that
of an import and a device that wait for each other it is never the device that is turned away."""

WAITS = (0.1, 0.2, 0.4, *[1.0] * 20)

FEW = 10
"""As a power of two: an app this small may be read whole."""

LEARN = """
ANALYZE crm_user (app_id, uid), crm_install (app_id, uid, user_id),
        crm_devicetoken (app_id, install_id, value_digest)
"""


def begin_import(
    *, app: App, kind: str, digest: str, file_name: str, afresh: bool = False
) -> ImportRun:
    """Give the run of this very file, to be gone on with or, `afresh`, begun again."""
    run, _ = ImportRun.objects.get_or_create(
        app=app, kind=kind, digest=digest, defaults={"file_name": file_name}
    )
    if afresh:
        run.lines_read = run.stored = run.refused = 0
        run.finished_at = None
        run.save()
    return run


def store_chunk(run: ImportRun, *, until: int, store: Callable[[], Counts]) -> None:
    """Run `store`, which gives how many it stored and refused, and note the file is read `until`.

    Both or neither. Raises `Conflict` where another process has read on in the same file.
    """

    def work() -> None:
        held = ImportRun.objects.select_for_update().get(pk=run.pk)
        if held.lines_read != run.lines_read:
            raise Conflict("This file is being imported by another process.")
        stored, refused = store()
        held.lines_read = until
        held.stored += stored
        held.refused += refused
        held.save()

    before = run.stored
    _giving_way(work)
    run.refresh_from_db()
    _learn(before, run.stored)


def _learn(before: int, stored: int) -> None:
    """Let the planner know each time an app has become four times as large.

    As long as it takes an app for empty, it reads all of it to find a few rows, for every chunk:
    where other apps are large, it hears of a new one too late by itself.
    """
    if (stored >> FEW).bit_length() // 2 > (before >> FEW).bit_length() // 2:
        with connection.cursor() as cursor:
            cursor.execute(LEARN)


def rehearse_chunk(run: ImportRun, *, until: int, store: Callable[[], Counts]) -> None:
    """Run `store` and undo it; only the counts stay, on a `run` that is not saved."""

    def work() -> Counts:
        counts = store()
        transaction.set_rollback(True)
        return counts

    stored, refused = _giving_way(work)
    run.lines_read = until
    run.stored += stored
    run.refused += refused


def _giving_way(work: Callable[[], T]) -> T:
    """Work in one transaction; where devices write the same rows now, undo it and try again."""
    for wait in (*WAITS, None):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}ms'")
                return work()
        except OperationalError as error:
            busy = isinstance(error.__cause__, LockNotAvailable | DeadlockDetected)
            if not busy:
                raise
            if wait is None:
                raise Conflict("Others keep its rows locked; try again.") from error
            time.sleep(wait * random.random())  # noqa: S311 - no secret
    raise AssertionError("unreachable")


def finish_import(run: ImportRun) -> None:
    """Note that the whole file is read."""
    ImportRun.objects.filter(pk=run.pk).update(finished_at=Now())
    run.refresh_from_db()
