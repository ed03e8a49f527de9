"""A file on its way in: chunk by chunk, each stored together with how far the file is read."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from crm.audit import act_as
from crm.commands.imports import Row, finish_import, rehearse_chunk, store_chunk
from crm.management.recorded import at_the_keyboard
from crm.models import App, ImportRun
from gateway.kumulos.errors import refusal_body
from gateway.kumulos.importing.files import READERS, Piece
from gateway.kumulos.importing.kinds import KINDS
from gateway.kumulos.importing.record import NO_OBJECT, Record, Refused
from gateway.rest.storable import objection

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A record left out: its line, its place there if the line holds several, and why."""

    line: int
    item: int | None = None
    reasons: Mapping[str, list[str]]

    def as_json(self) -> dict[str, Any]:
        """Give the refusal as our API words one."""
        place = {"line": self.line} if self.item is None else {"line": self.line, "item": self.item}
        return {**place, **refusal_body(self.reasons)}

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", item {self.item}" if self.item else "")
        said = (
            "; ".join(f"{key}: {why}" if key else why for why in whys)
            for key, whys in self.reasons.items()
        )
        return f"{place}: {'; '.join(said)}"


@dataclass(kw_only=True, slots=True)
class Chunk:
    """Records read one after another, and the rows they became."""

    until: int = 0
    records: int = 0
    rows: list[Row] = field(default_factory=list)
    places: list[tuple[int, int | None]] = field(default_factory=list)  # of each row
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Import:
    """What is to be read, of which kind, into which app; `note` is told of each chunk's refusals.

    It is told before the chunk is stored for good: a refusal may be heard twice, and never not.
    """

    app: App
    kind: str
    path: Path
    form: str
    batch: int
    note: Callable[[Sequence[Refusal]], None]

    def go_on(self, run: ImportRun) -> Iterator[int]:
        """Store what is not stored yet and give, after each chunk, how many bytes are read."""
        for chunk, position in ahead(self._chunks(run.lines_read)):
            store_chunk(run, until=chunk.until, store=partial(self._store, chunk))
            yield position
        finish_import(run)

    def rehearse(self, run: ImportRun) -> Iterator[int]:
        """Do the same and store nothing; the counts are on `run`, which is not saved either."""
        for chunk, position in ahead(self._chunks(0)):
            rehearse_chunk(run, until=chunk.until, store=partial(self._store, chunk))
            yield position

    def _store(self, chunk: Chunk) -> tuple[int, int]:
        act_as(at_the_keyboard("import_kumulos"))
        complaints = KINDS[self.kind].store(self.app, chunk.rows)
        late = {chunk.places[n]: reasons for n, reasons in complaints.items()}
        refused = [
            *chunk.refused,
            *(Refusal(line=line, item=item, reasons=why) for (line, item), why in late.items()),
        ]
        self.note(refused)
        return chunk.records - len(late), len(refused)

    def _chunks(self, after: int) -> Iterator[tuple[Chunk, int]]:
        with self.path.open("rb") as stream:
            chunk = Chunk()
            for piece in READERS[self.form](stream, after):
                self._read(piece, chunk)
                if len(chunk.rows) + len(chunk.refused) >= self.batch:
                    yield chunk, stream.tell()
                    chunk = Chunk()
            if chunk.until:
                yield chunk, stream.tell()

    def _read(self, piece: Piece, chunk: Chunk) -> None:
        for item, members in _members(piece, self.kind):
            try:
                rows = self._rows(piece, members)
            except Refused as no:
                refusal = Refusal(line=piece.line, item=item, reasons=no.reasons)
                chunk.refused.append(refusal)
            else:
                chunk.records += 1
                chunk.rows += rows
                chunk.places += [(piece.line, item)] * len(rows)
        chunk.until = piece.until

    def _rows(self, piece: Piece, members: Any) -> Sequence[Row]:
        complaint = piece.complaint or (objection(members) if piece.doubtful else None)
        if complaint or not isinstance(members, dict):
            raise Refused({"": [complaint or NO_OBJECT]})
        said = Record(members)
        rows = KINDS[self.kind].read(said)
        said.check()
        return rows


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Give the same items, each made while the one before is in use: reading costs no time."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, items, None)
            yield item


def _members(piece: Piece, kind: str) -> Iterable[tuple[int | None, Any]]:
    """Give the records of a piece: most are one; a page, or an array, holds several."""
    value = piece.value
    if isinstance(value, dict) and isinstance(value.get(kind), list):
        value = value[kind]
    return enumerate(value, start=1) if isinstance(value, list) else [(None, value)]
