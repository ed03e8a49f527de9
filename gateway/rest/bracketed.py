"""`event[user][ids]=1,2` ↔ nested JSON: form bodies and query strings, read as Rails reads them.

Every value stays text. `a[]` makes a list, `a[0]` an object with a key "0"; in a list of objects a
key that is there already begins the next one.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

MOST_PAIRS = 5000
DEEPEST = 16
"""Names in one key: `a[b][]` has three."""

LONGEST_SHOWN = 40

BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
KEY = re.compile(r"([^\[\]]++)((?:\[[^\[\]]*+\])*+)")
BRACKETS = re.compile(r"\[([^\[\]]*)\]")

Pair = tuple[str, str]


class Unreadable(ValueError):
    """What came is no form; the text says why."""


class Excessive(Unreadable):
    """It is a form, and more of one than anybody needs; the text says of what."""


def read_form(body: bytes) -> dict[str, Any]:
    """Give the JSON an urlencoded body stands for; raises Unreadable."""
    return read_pairs(_decoded(body))


def read_query(query_string: str) -> dict[str, Any]:
    """Give the JSON a query string stands for; raises Unreadable.

    It is a native string, as WSGI hands it on: each character is a byte.
    """
    try:
        return read_form(query_string.encode("latin-1"))
    except UnicodeEncodeError:
        raise Unreadable("is no query string") from None


def read_pairs(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Give the JSON decoded pairs stand for; the last of equal scalar keys wins.

    Raises Unreadable where two keys want different things of one place.
    """
    found: dict[str, Any] = {}
    for count, (key, value) in enumerate(pairs, start=1):
        if count > MOST_PAIRS:
            raise Excessive(f"more than {MOST_PAIRS} pairs")
        _check_text(key)
        _check_text(value)
        try:
            _put(found, _path(key), value)
        except _Taken:
            raise Unreadable(f'"{_shown(key)}" is said in two ways') from None
    return found


def flat(value: Mapping[str, Any]) -> Iterator[Pair]:
    """Give nested JSON as pairs; the values of a str subclass as they were written.

    Other scalars are spelled as JSON does. Empty lists and objects have no pair. Raises Unreadable
    where it is nested deeper than a key may be.
    """
    for key, inner in value.items():
        yield from _flat(key, inner, level=1)


class _Taken(Exception):
    """Another key wants something else of the same place."""


def _decoded(body: bytes) -> Iterator[Pair]:
    if body.count(b"&") >= MOST_PAIRS:
        raise Excessive(f"more than {MOST_PAIRS} pairs")
    for part in filter(None, body.split(b"&")):
        key, _, value = part.partition(b"=")
        yield _unescaped(key), _unescaped(value)


def _unescaped(raw: bytes) -> str:
    if BROKEN_ESCAPE.search(raw):
        raise Unreadable("a percent sign without two hexadecimal digits")
    try:
        return _bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None


def _bytes(escaped: bytes) -> bytes:
    # Python's own escapes are undone in C; urllib takes seconds for a body of nothing else
    spelled = escaped.replace(b"\\", rb"\\").replace(b"%", rb"\x")
    return spelled.decode("unicode_escape").encode("latin-1")


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Unreadable("a null character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable("half a character") from None


def _path(key: str) -> Sequence[str]:
    """Give the names in a key, '' for `[]`; a key whose brackets do not match is one name."""
    if key.count("[") >= DEEPEST:
        raise Excessive(f'"{_shown(key)}" has more than {DEEPEST} levels')
    matched = KEY.fullmatch(key)
    return [matched[1], *BRACKETS.findall(matched[2])] if matched else [key]


def _put(target: dict[str, Any], path: Sequence[str], value: str) -> None:
    name, rest = path[0], path[1:]
    if not rest:
        if isinstance(target.get(name), dict | list):
            raise _Taken
        target[name] = value
    elif rest[0]:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            raise _Taken
        _put(inner, rest, value)
    else:
        items = target.setdefault(name, [])
        if not isinstance(items, list):
            raise _Taken
        _append(items, rest[1:], value)


def _append(items: list[Any], path: Sequence[str], value: str) -> None:
    if not path:
        items.append(value)
    elif path[0]:
        if not items or not isinstance(items[-1], dict) or _holds(items[-1], path):
            items.append({})
        _put(items[-1], path, value)
    else:
        items.append([])
        _append(items[-1], path[1:], value)


def _holds(target: Any, path: Sequence[str]) -> bool:
    """Say whether an object has a value at a path; a list in it has room for another always."""
    if "" in path:
        return False
    for name in path:
        if not isinstance(target, dict) or name not in target:
            return False
        target = target[name]
    return True


def _flat(name: str, value: Any, *, level: int) -> Iterator[Pair]:
    if level > DEEPEST:
        raise Unreadable(f'"{_shown(name)}" has more than {DEEPEST} levels')
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}[{key}]", inner, level=level + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(f"{name}[]", inner, level=level + 1)
    else:
        yield name, str(value) if isinstance(value, str) else json.dumps(value)


def _shown(key: str) -> str:
    return key[:LONGEST_SHOWN]
