"""Tables and JSON on standard output."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def print_json(values: Any) -> None:
    """One JSON document."""
    print(json.dumps(values, indent=2, ensure_ascii=False))


def print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, notes: Iterable[str] = ()
) -> None:
    """A table for people: columns of numbers to the right, names to the left.

    A plain grid and not rich's table: rich would cut columns on a narrow terminal or in a pipe,
    and takes longer to import than the whole answer.
    """
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    numeric = [all(_is_number(row[at]) for row in table[1:]) for at in range(len(head))]
    for index, row in enumerate(table):
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        )
        print("  ".join(cells).rstrip())
        if index == 0:
            print("  ".join("─" * width for width in widths))
    for note in notes:
        print(note)


def _is_number(text: str) -> bool:
    return not text or text[0] in "0123456789+-–.±(" or text == "?"


def note(text: str) -> None:
    """A line for people, on standard error, so that standard output stays the answer."""
    print(text, file=sys.stderr)
