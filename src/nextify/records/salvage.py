"""The rows that can still be found in a damaged study file, page by page, without SQLite.

Where the structure of a file is damaged (its header, the tree that leads to the rows, an index),
SQLite refuses the rest with it. But rows lie on pages of their own, the leaves of tables, and each
leaf says where its rows are. What is found this way is only used if its digest is found, too.
The format is that of https://www.sqlite.org/fileformat2.html, sections 1.5 (pages), 1.6 (values
that go on elsewhere) and 2.1 (records).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nextify.records.digests import Value

Values = tuple[Any, ...]  # of a row's columns, in their order
_PAGE = 4096  # bytes: SQLite's default, which is what study files have
_HEADER = 100  # bytes before the first page's own
_TABLE_LEAF, _INDEX_LEAF = b"\x0d", b"\x0a"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. at: its number there; 0 for an entry of an index."""

    at: int
    values: Values


def rows_in(content: bytes) -> Iterator[Row]:
    """Every row of every leaf page, whatever its table, and every entry of an index.

    Rows that make no sense are left out.
    """
    file = _File(content)
    for page in range(0, len(content), file.size):
        head = page + (_HEADER if page == 0 else 0)
        kind, count = content[head : head + 1], _number(content, head + 3, 2)
        if kind in (_TABLE_LEAF, _INDEX_LEAF):
            for place in range(head + 8, min(head + 8 + 2 * count, page + file.size), 2):
                try:
                    start = page + _number(content, place, 2)
                    yield file.row(start, is_index=kind == _INDEX_LEAF)
                except (IndexError, ValueError):
                    continue


@dataclass(frozen=True, slots=True)
class _File:
    """The bytes of a file of pages."""

    content: bytes

    @property
    def size(self) -> int:
        """Of a page: as the header has it, where that can be."""
        told = _number(self.content, 16, 2)
        is_whole = self.content.startswith(b"SQLite format 3\0")
        return told if is_whole and told >= 512 and not told & (told - 1) else _PAGE

    def row(self, at: int, is_index: bool) -> Row:
        """The row at a place in the file."""
        length, at = _varint(self.content, at)
        number, at = (0, at) if is_index else _varint(self.content, at)
        if length > len(self.content):
            raise ValueError("longer than the file")
        return Row(number, _values(self._payload(at, length, is_index)))

    def _payload(self, at: int, length: int, is_index: bool) -> bytes:
        """What a row holds: on its page, and the rest on a chain of others."""
        size = self.size
        most = (size - 12) * 64 // 255 - 23 if is_index else size - 35
        least = (size - 12) * 32 // 255 - 23
        here = length
        if length > most:
            here = least + (length - least) % (size - 4)
            here = here if here <= most else least
        payload = self.content[at : at + here]
        following = _number(self.content, at + here, 4) if here < length else 0
        while following and len(payload) < length:
            page = (following - 1) * size
            payload += self.content[page + 4 : page + size]
            following = _number(self.content, page, 4)
        if len(payload) < length:
            raise ValueError("cut short")
        return payload[:length]


def _values(payload: bytes) -> tuple[Value, ...]:
    """The values of a record: their types stand before them."""
    end, at = _varint(payload, 0)
    kinds, place = [], end
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    found: list[Value] = []
    for kind in kinds:
        length = (kind - 12) // 2 if kind >= 12 else (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)[kind]
        part = payload[place : place + length]
        if len(part) < length or kind in (7, 10, 11):  # no table of ours has a float
            raise ValueError("not a value")
        place += length
        match kind:
            case 0:
                found.append(None)
            case 8 | 9:
                found.append(kind - 8)
            case _ if kind < 12:
                found.append(int.from_bytes(part, "big", signed=True))
            case _:
                found.append(part.decode(errors="surrogateescape") if kind % 2 else part)
    return tuple(found)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of up to nine bytes, and where the next thing stands."""
    value = 0
    for place in range(at, at + 8):
        byte = content[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    return value << 8 | content[at + 8], at + 9


def _number(content: bytes, at: int, length: int) -> int:
    return int.from_bytes(content[at : at + length], "big")
