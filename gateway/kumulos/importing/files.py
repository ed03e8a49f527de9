"""A file → what stands in it, piece by piece and in constant memory: CSV, JSON lines or JSON."""

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from gateway.rest.storable import DEEPEST, objection

LONGEST = 16 << 20
"""Bytes of a line, characters of a JSON element: a page of a thousand users is a tenth of that."""

LONGEST_CELL = 1 << 20
BLOCK = 1 << 18
BETWEEN = re.compile(r"[\s,\[\]]*")  # what stands between the objects of one array or several
SHAPE = json.JSONDecoder(parse_int=str, parse_float=str)  # only asked where an object ends


class Unreadable(Exception):
    """The file is not what it should be; no line of it can be trusted."""


class Piece(NamedTuple):
    """A line of a file, or an element of its array, or what is wrong with it.

    `line` is where it begins; whoever goes on after `until` misses nothing. Of a `doubtful` one
    some part may be what cannot be stored.
    """

    line: int
    until: int
    value: Any
    complaint: str = ""
    doubtful: bool = False


Reader = Callable[[BinaryIO, int], Iterator[Piece]]


def digest_of(path: Path) -> str:
    """Give what the file is known by, whatever its name: the SHA-256 of its content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def decoded(raw: bytes) -> tuple[Any, str]:
    """Give a JSON value that can be stored, or what is wrong with it."""
    value, complaint, doubtful = _parsed(raw)
    return value, (objection(value) or "") if doubtful else complaint


def _parsed(raw: bytes) -> tuple[Any, str, bool]:
    """Give a JSON value, or what is wrong with it, and whether it may be one nobody can store."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return None, f"Is not valid JSON: {error.msg}.", False
    return value, "", b"\\u0000" in raw or raw.count(b"{") + raw.count(b"[") > DEEPEST


def read_lines(stream: BinaryIO, after: int) -> Iterator[Piece]:
    """Give the JSON value on each line that is not blank."""
    for number, raw in enumerate(_lines(stream), start=1):
        if number > after and not raw.isspace():
            yield Piece(number, number, *_parsed(raw))


def read_csv(stream: BinaryIO, after: int) -> Iterator[Piece]:
    """Give each row as an object, with the words of the header line as keys.

    A cell may hold line breaks in quotes. Spreadsheets put a mark before the header; it is ignored.
    """
    csv.field_size_limit(LONGEST_CELL)
    lines = _lines(stream)
    rows = csv.reader((raw.decode("utf-8", "surrogateescape") for raw in lines), strict=True)
    header = _header(rows)
    skipped = sum(1 for _, _ in zip(range(after - rows.line_num), lines, strict=False))
    while True:
        begins = rows.line_num + skipped + 1
        try:
            cells = next(rows, None)
            complaint = _misfit(header, cells or [])
        except csv.Error as error:
            cells, complaint = [], f"Is not CSV ({error}); is a quote left open?"
        if cells is None:
            return
        if cells or complaint:
            value = dict(zip(header, cells, strict=False))
            yield Piece(begins, rows.line_num + skipped, value, complaint)


def read_array(stream: BinaryIO, after: int) -> Iterator[Piece]:
    """Give the objects of an array, however it is laid out; `line` is their number.

    Several arrays, or objects one after another, are read as one.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    text, at, number, ended = "", 0, 0, False
    while True:
        at = _end_of_gap(text, at)
        try:
            _, end = SHAPE.raw_decode(text, at)
        except (ValueError, RecursionError):
            if ended or len(text) - at > LONGEST:
                break
            # ever larger blocks: a long object is not tried again for each short one
            block = stream.read(max(BLOCK, len(text) - at))
            text, at, ended = text[at:] + decoder.decode(block), 0, not block
            continue
        number += 1
        if number > after:
            raw = text[at:end].encode("utf-8", "surrogateescape")
            yield Piece(number, number, *_parsed(raw))
        at = end
    if at < len(text):
        broken = f"Is not valid JSON, or longer than {LONGEST >> 20} MiB: the rest was not read."
        yield Piece(number + 1, number + 1, None, broken)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    mark = codecs.BOM_UTF8
    while raw := stream.readline(LONGEST + 1):
        if len(raw) > LONGEST:
            raise Unreadable(f"it has a line of more than {LONGEST >> 20} MiB")
        yield raw.removeprefix(mark)
        mark = b""


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise Unreadable(f"its header line is not CSV ({error})") from error
    if not all(header) or len(set(header)) < len(header):
        raise Unreadable("its header line has a column without a name, or two of one name")
    return header


def _misfit(header: Sequence[str], cells: Sequence[str]) -> str:
    if not cells:
        return ""
    if len(cells) != len(header):
        return f"Has {len(cells)} cells where the header line has {len(header)}."
    text = "".join(cells)
    if "\0" in text:
        return "Null characters are not allowed."
    return "" if text.isascii() or _is_unicode(text) else "Is not UTF-8."


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _end_of_gap(text: str, at: int) -> int:
    gap = BETWEEN.match(text, at)
    return gap.end() if gap else at


READERS: dict[str, Reader] = {
    "csv": read_csv,
    "jsonl": read_lines,
    "ndjson": read_lines,
    "json": read_array,
}
