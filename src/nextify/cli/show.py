"""Answers on standard output: text, tables and JSON; notes on standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from nextify.errors import InputError
from nextify.files import finite
from nextify.machine.lines import note as note  # beside the answers, for all commands
from nextify.words import in_columns, one_line, shown

if TYPE_CHECKING:  # it imports matplotlib
    from nextify.report.page import ReportFiles

# For terminals and pipes that are not Unicode.
_PLAIN = str.maketrans(
    {"─": "-", "→": "->", "±": "+-", "≈": "~", "×": "x", "–": "-", "…": "...", "·": "."}
)


def prepare_output() -> None:
    """Let standard output take every text: what it cannot encode is written as an escape. Where
    it, or standard error, is closed, nothing is written; what would be is no other file's."""
    for name in ("stdin", "stdout", "stderr"):  # in their order: a new file gets the first number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """A line of the answer, on standard output.

    Raises:
        BrokenPipeError: the reader has gone.
        InputError: it cannot be written (a full disk).
    """
    _written(lambda: print(printable(text)))


def finish_output() -> None:
    """Write what is still buffered. Raises as `say` does."""
    if sys.stdout is not None:
        _written(sys.stdout.flush)


def discard_output() -> None:
    """Give up standard output, also what is buffered, which Python would write at its exit."""
    with suppress(OSError), open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), sys.stdout.fileno())


def is_printable(text: str) -> bool:
    """Whether standard output has all of a text's characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """A text that steers no terminal, with plain stand-ins for arrows and lines where standard
    output is not Unicode."""
    text = shown(text, keep="\n\t")
    return text if is_printable(text) else text.translate(_PLAIN)


def print_json(values: Any) -> None:
    """One JSON document, in ASCII: it survives every terminal, pipe and file name."""
    say(json.dumps(finite(values), indent=2, allow_nan=False))


def file_values(files: "ReportFiles | None") -> dict[str, object]:
    """The files of a report, if one was written, for JSON."""
    if files is None:
        return {}
    figures = [str(figure) for figure in files.figures]
    return {"report": str(files.html), "csv": str(files.csv), "figures": figures}


def _written(write: Callable[[], object]) -> None:
    try:
        write()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise InputError(
            f"standard output cannot be written: {error.strerror}; free space there or send it "
            "somewhere else"
        ) from error


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people."""
    for line in in_columns([[printable(one_line(cell)) for cell in row] for row in (head, *rows)]):
        say(line)
