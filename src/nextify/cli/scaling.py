"""What the commands of `nextify scale` share: reading options, showing answers and figures."""

import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nextify.cli.show import note, print_json, print_table, say
from nextify.errors import InputError
from nextify.files import require_name, require_place
from nextify.report.scaling.blocks import Block, Paragraph, Table
from nextify.requests import given
from nextify.words import in_short, read_bytes

if TYPE_CHECKING:  # it imports matplotlib
    from nextify.report.style import Drawing

T = TypeVar("T")
_PIPE = 10_000  # columns where there is no terminal
_WIDEST = 96  # a paragraph


def refuse(options: object, names: Iterable[str], other: str) -> None:
    """Refuse options that would do nothing beside another one.

    Raises:
        InputError: one of them is given.
    """
    for name in names:
        if name in given(options):
            option = name.replace("_", "-")
            raise InputError(f"--{option} does nothing with {other}; leave one of the two out")


def whole_numbers(text: str, example: str) -> tuple[int, ...]:
    """What --sizes gives, from the smallest.

    Raises:
        InputError: no whole numbers, apart by commas.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise InputError(
            f"--sizes is {in_short(text)}; give whole numbers below 10^9, as {example}"
        )
    return tuple(sorted({int(part) for part in parts}))


def places(save: str | None, figure: str | None) -> tuple[Path | None, Path | None]:
    """A file to keep results in and a folder for figures, both of which can be written.

    Raises:
        InputError: with the reason and the remedy.
    """
    if figure:
        require_place(Path(figure), "--figure")
    if save:
        require_place(Path(save).parent, "--save")
        require_name(Path(save), "--save")
    return Path(save) if save else None, Path(figure) if figure else None


def memory_limit(text: str | None) -> int | None:
    """Bytes; None: nothing was said."""
    return read_bytes("--memory", text) if text else None


def draw(drawings: "Sequence[Drawing]", folder: Path) -> None:
    """Write figures, and say so."""
    from nextify.report.page import write_drawings

    for path in write_drawings(list(drawings), folder):
        note(f"wrote {path}")


def answer(
    found: T, as_json: bool, values: Callable[[T], Any], words: Callable[[T], Iterable[Block]]
) -> int:
    """Print what was found: its values as JSON, or words for people."""
    if as_json:
        print_json(values(found))
        return 0
    columns = shutil.get_terminal_size((_PIPE, 24)).columns
    for block in words(found):
        match block:
            case str():
                say(block)
            case Paragraph():
                say(_wrapped(block, min(_WIDEST, columns)))
            case Table():
                _print_parts(block, columns)
    return 0


def _wrapped(block: Paragraph, width: int) -> str:
    first, later = ("  ", "    ") if block.indented else ("", "")
    return textwrap.TextWrapper(width, first, later, break_on_hyphens=False).fill(block.text)


def _print_parts(table: Table, columns: int) -> None:
    """A table; where it is too wide, its columns in parts, each with the first ones."""
    if table.fixed is None:
        print_table(table.head, table.rows)
        return
    widths = [2 + max(map(len, cells)) for cells in zip(table.head, *table.rows, strict=True)]
    parts = [always := [*range(table.fixed)]]
    for at in range(table.fixed, len(widths)):
        if parts[-1] != always and sum(widths[i] for i in (*parts[-1], at)) > columns + 2:
            parts.append(always)
        parts[-1] = [*parts[-1], at]
    for place, chosen in enumerate(parts):
        if place:
            say("")
        head, *rows = ([row[at] for at in chosen] for row in (table.head, *table.rows))
        print_table(head, rows)
