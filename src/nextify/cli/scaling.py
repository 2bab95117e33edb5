"""What the commands of `nextify scale` share: reading options, showing answers and figures."""

import shutil
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nextify.cli.show import note, print_json, print_table, say
from nextify.errors import InputError
from nextify.files import require_place
from nextify.report.scaling.blocks import Block, Paragraph, Table
from nextify.words import read_bytes

if TYPE_CHECKING:  # it imports matplotlib
    from nextify.report.style import Drawing

T = TypeVar("T")
_PIPE = 10_000  # columns where there is no terminal
_WIDEST = 96  # a paragraph


def refuse(options: object, names: Iterable[str], other: str) -> None:
    """Refuse options that would do nothing beside another one.

    Raises:
        InputError: one of them is set.
    """
    for name in names:
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise InputError(f"--{option} does nothing with {other}; leave one of the two out")


def whole_numbers(text: str, example: str) -> tuple[int, ...]:
    """What --sizes gives, from the smallest.

    Raises:
        InputError: no whole numbers, apart by commas.
    """
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise InputError(f"--sizes is {text!r}; give whole numbers, as {example}")
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
    else:
        show(words(found))
    return 0


def show(blocks: Iterable[Block]) -> None:
    """Print an answer, as wide as the terminal."""
    columns = shutil.get_terminal_size((_PIPE, 24)).columns
    for block in blocks:
        match block:
            case str():
                say(block)
            case Paragraph():
                first, later = ("  ", "    ") if block.indented else ("", "")
                for line in textwrap.wrap(
                    block.text, min(_WIDEST, columns), break_on_hyphens=False,
                    initial_indent=first, subsequent_indent=later,
                ):  # fmt: skip
                    say(line)
            case Table(fixed=None):
                print_table(block.head, block.rows)
            case Table():
                _print_parts(block, columns)


def _print_parts(table: Table, columns: int) -> None:
    """A table; where it is too wide, its columns in parts, each with the first ones."""
    head, rows, first = table.head, table.rows, table.fixed or 0
    widths = [2 + max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    always = [*range(first)]
    parts: list[list[int]] = [always]
    for at in range(first, len(head)):
        if parts[-1] != always and sum(widths[i] for i in (*parts[-1], at)) > columns + 2:
            parts.append(always)
        parts[-1] = [*parts[-1], at]
    for chosen in parts:
        if chosen is not parts[0]:
            say("")
        print_table([head[at] for at in chosen], [[row[at] for at in chosen] for row in rows])
