"""What an answer is made of before it is printed: lines, paragraphs and tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text as wide as the terminal; indented, as an item of a list."""

    text: str
    indented: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A head and rows. Where `fixed` is set, a narrow terminal has the columns in parts, each
    after the first so many."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    fixed: int | None = None


Block = str | Paragraph | Table


def ends(values: Iterable[int]) -> str:
    """The smallest and the largest.

    >>> ends([7, 5, 6]), ends([7, 7])
    ('5 to 7', '7')
    """
    known = sorted(values)
    return " to ".join(dict.fromkeys((str(known[0]), str(known[-1]))))


def clock(threads: int) -> str:
    """With what was measured.

    >>> clock(1), clock(2)
    ('processor time, 1 thread', '2 threads')
    """
    return "processor time, 1 thread" if threads == 1 else f"{threads} threads"
