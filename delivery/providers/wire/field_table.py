"""Header fields shared by many requests → a few bytes each, by way of HPACK's dynamic table."""

from typing import Final

from .literals import INDEXED_LATER, NOT_INDEXED, integer, named, string

Field = tuple[bytes, bytes]

DEFAULT_SIZE: Final = 4096
_FIRST_DYNAMIC: Final = 62  # RFC 7541 §2.3.3
_ENTRY_OVERHEAD: Final = 32  # RFC 7541 §4.1
_POST_HTTPS: Final = b"\x83\x87"
_REMEMBERED: Final = 512
_PATIENCE: Final = 2048


class FieldTable:
    """Our side of one connection's header compression.

    A tuple of fields becomes a run of table indices, worked out once and kept until the table
    shifts. While there is room every new field enters the table. In a full table a new field
    stays a literal; only once in `_PATIENCE` requests may newcomers push old entries out, so a
    changing mix of tuples settles instead of thrashing.
    """

    def __init__(self, authority: bytes) -> None:
        self._authority: Field = (b":authority", authority)
        self._entries: list[Field] = []  # newest first, as HPACK counts
        self._size = 0
        self._limit = DEFAULT_SIZE
        self._announce: list[int] = []
        self._known: dict[tuple[Field, ...], tuple[bytes, bytes]] = {}
        self._shifted = False
        self._started = 0
        self._evictable_from = 0
        self._may_evict = False

    def encode(self, fields: tuple[Field, ...], started: int) -> tuple[bytes, bytes, bool]:
        """Return what goes before :path, what goes after it, and whether that may be repeated.

        The bytes must reach the server: the table has already moved with them. `started` counts
        the requests so far.
        """
        known = self._known.get(fields)
        if known is not None:
            return *known, True
        self._shifted = bool(self._announce)
        self._started = started
        self._may_evict = started >= self._evictable_from
        before = self._size_updates() + _POST_HTTPS + self._represent(self._authority)
        after = b"".join(map(self._represent, fields))
        if self._shifted:
            self._known.clear()
        else:
            self._remember(fields, (before, after))
        return before, after, not self._shifted

    def resize(self, limit: int) -> None:
        """Obey a SETTINGS_HEADER_TABLE_SIZE: announce it before the next block (RFC 7541 §4.2)."""
        limit = min(limit, DEFAULT_SIZE)
        if limit == (self._announce[-1] if self._announce else self._limit):
            return
        # The smallest size in between must be said too, or the server would not know what it lost.
        lowest = min((limit, *self._announce))
        self._announce = [lowest] if lowest == limit else [lowest, limit]
        self._known.clear()

    def _size_updates(self) -> bytes:
        sizes, self._announce = self._announce, []
        for size in sizes:
            self._limit = size
            self._make_room(0)
        return b"".join(integer(0x20, 5, size) for size in sizes)

    def _represent(self, field: Field) -> bytes:
        if field in self._entries:
            return integer(0x80, 7, _FIRST_DYNAMIC + self._entries.index(field))
        name, value = field
        if not self._admit(field):
            return named(NOT_INDEXED, 4, name) + string(value)
        return named(INDEXED_LATER, 6, name) + string(value)

    def _admit(self, field: Field) -> bool:
        need = len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD
        if need > self._limit:
            return False
        if self._size + need > self._limit:
            if not self._may_evict:
                return False
            self._evictable_from = self._started + _PATIENCE
            self._make_room(need)
        self._entries.insert(0, field)
        self._size += need
        self._shifted = True
        return True

    def _make_room(self, need: int) -> None:
        while self._size + need > self._limit:
            name, value = self._entries.pop()
            self._size -= len(name) + len(value) + _ENTRY_OVERHEAD
            self._shifted = True

    def _remember(self, fields: tuple[Field, ...], known: tuple[bytes, bytes]) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[fields] = known
