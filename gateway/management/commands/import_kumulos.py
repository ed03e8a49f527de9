"""`manage.py import_kumulos APP_ID KIND FILE …`: bring users and devices along from Kumulos."""

import json
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from crm.commands.imports import begin_import
from crm.errors import Conflict
from crm.models import App, ImportRun
from gateway.kumulos.importing.files import READERS, Unreadable, digest_of
from gateway.kumulos.importing.kinds import KINDS
from gateway.kumulos.importing.run import Import
from gateway.management.bar import Bar
from gateway.management.refused import RefusedLines

REFUSED, WRONG = 1, 2
"""What the command ends with where lines were left out, and where it could not be done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    app: App
    kind: str
    file: Path
    form: str
    errors: Path | None
    batch: int
    restart: bool
    dry_run: bool


class Command(BaseCommand):
    """Read a file of one kind into an app: resumable, and harmless to repeat."""

    help = "Import users, installs, channels or subscriptions (docs/migrating-from-kumulos.md)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file, and how it is to be read."""
        parser.add_argument("app_id", type=int)
        parser.add_argument("kind", choices=list(KINDS))
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=list(READERS), help="else by the file's suffix")
        parser.add_argument(
            "--errors", type=Path, metavar="FILE", help="all refused lines, as JSON"
        )
        parser.add_argument("--batch", type=int, default=2000, help="records stored together")
        parser.add_argument("--restart", action="store_true", help="from the first line again")
        parser.add_argument("--dry-run", action="store_true", help="read, complain, store nothing")
        parser.add_argument("--json", action="store_true", help="the summary as a JSON object")

    def handle(self, *, app_id: int, kind: str, file: Path, **options: Any) -> None:
        """Import it; the exit code is 0, 1 where lines were refused, 2 where it cannot be done."""
        app = App.objects.filter(pk=app_id).first()
        form = options["format"] or file.suffix.removeprefix(".").lower()
        if app is None:
            raise CommandError(f"there is no app {app_id}", returncode=WRONG)
        if form not in READERS:
            raise CommandError(f"{file}: say its --format", returncode=WRONG)
        if options["batch"] < 1:
            raise CommandError("--batch must be at least 1", returncode=WRONG)
        asked = {name: options[name] for name in ("errors", "batch", "restart", "dry_run")}
        wish = Wish(app=app, kind=kind, file=file, form=form, **asked)
        try:
            self._import(wish, in_json=options["json"])
        except (OSError, Unreadable, Conflict, OperationalError) as error:
            raise CommandError(f"{file}: {_first_line(error)}", returncode=WRONG) from error

    def _import(self, wish: Wish, *, in_json: bool) -> None:
        run = _run_of(wish)
        already, began = run.finished_at is not None, time.monotonic()
        if not already:
            self._read(wish, run)
        took = time.monotonic() - began
        if in_json:
            self.stdout.write(json.dumps(_summary(wish, run, already=already, took=took)))
        else:
            self.stdout.write(_said(wish, run, already=already, took=took))
        if run.refused:
            raise CommandError(f"{run.refused:,} records were refused", returncode=REFUSED)

    def _read(self, wish: Wish, run: ImportRun) -> None:
        bar = Bar(wish.kind, total=wish.file.stat().st_size, stream=self.stderr)

        def show(line: str) -> None:
            bar.clear()
            self.stderr.write(line)

        refused = RefusedLines(wish.errors, after=run.lines_read, show=show)
        task = Import(
            app=wish.app,
            kind=wish.kind,
            path=wish.file,
            form=wish.form,
            batch=wish.batch,
            note=refused.note,
        )
        before = run.stored + run.refused
        for position in task.rehearse(run) if wish.dry_run else task.go_on(run):
            done = run.stored + run.refused - before
            note = f", {run.refused:,} refused" if run.refused else ""
            bar.move(position, done=done, note=note)
        bar.clear()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _run_of(wish: Wish) -> ImportRun:
    digest = digest_of(wish.file)
    if wish.dry_run:
        return ImportRun(app=wish.app, kind=wish.kind, digest=digest)
    return begin_import(
        app=wish.app,
        kind=wish.kind,
        digest=digest,
        file_name=wish.file.name,
        afresh=wish.restart,
    )


def _summary(wish: Wish, run: ImportRun, *, already: bool, took: float) -> dict[str, Any]:
    return {
        "app": wish.app.pk,
        "kind": wish.kind,
        "file": wish.file.name,
        "lines_read": run.lines_read,
        "stored": run.stored,
        "refused": run.refused,
        "already": already,
        "dry_run": wish.dry_run,
        "seconds": round(took, 3),
    }


def _said(wish: Wish, run: ImportRun, *, already: bool, took: float) -> str:
    counts = f"{run.stored:,} stored, {run.refused:,} refused"
    if already:
        return (
            f"{wish.file.name} is imported already ({counts}, {run.finished_at:%Y-%m-%d %H:%M} "
            "UTC): nothing was changed; --restart reads it again"
        )
    good = "nothing stored, this was a rehearsal" if wish.dry_run else f"in {took:.1f} s"
    return f"{wish.kind}: {counts}, {good}"
