"""How a study shows what it is doing: a live table on a terminal, else a line per finished run.

A supervisor hands a `Snapshot` to whatever shows it, again and again. What is shown is a function
of the snapshot alone.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nextify.records import Outcome
from nextify.words import hours_and_minutes

_SETBACKS_SHOWN = 8
_STYLES = {"failed": "red", "diverged": "yellow"}


@dataclass(frozen=True, slots=True)
class Seat:
    """What one worker is doing. Without a `label`: it loads the data, or waits for a run."""

    worker: int
    label: str = ""
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    loading: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """A run that has been recorded by this start. `accuracy` is from 0 to 1."""

    label: str
    outcome: Outcome
    message: str
    seconds: float
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A study at one moment.

    Attributes:
        total, done: runs of the plan, and those recorded. waiting: those that another process
            is training.
        seats: per worker. endings: of this start, in order.
        elapsed: seconds since the start. left: seconds to come, None if unknown.
    """

    total: int
    done: int
    waiting: int
    seats: tuple[Seat, ...]
    endings: tuple[Ending, ...]
    elapsed: float
    left: float | None


Show = Callable[[Snapshot], None]
Progress = AbstractContextManager[Show]


def progress_on(stream: TextIO) -> Progress:
    """What suits a stream: a live table on a terminal, else a line for each run that ends."""
    return live(Console(file=stream)) if stream.isatty() else plain(stream)


@contextmanager
def silent() -> Iterator[Show]:
    """Show nothing."""
    yield lambda snapshot: None


@contextmanager
def plain(stream: TextIO) -> Iterator[Show]:
    """One line for each run that ends."""
    shown = 0

    def show(snapshot: Snapshot) -> None:
        nonlocal shown
        before = snapshot.done - len(snapshot.endings)
        for at, ending in enumerate(snapshot.endings[shown:], start=before + shown + 1):
            print(f"[{at}/{snapshot.total}] {line(ending)}", file=stream, flush=True)
        shown = len(snapshot.endings)

    yield unbreakable(show)


@contextmanager
def live(console: Console) -> Iterator[Show]:
    """A table that is drawn anew."""
    display = Live(console=console, auto_refresh=False, redirect_stdout=False)
    with suppress(Exception):
        display.start()
    try:
        yield unbreakable(lambda snapshot: display.update(table(snapshot), refresh=True))
    finally:
        with suppress(Exception):
            display.stop()


def unbreakable(show: Show) -> Show:
    """The same, but silent from its first error on: hours of training do not end with a terminal
    that was closed."""
    broken = False

    def show_if_possible(snapshot: Snapshot) -> None:
        nonlocal broken
        if broken:
            return
        try:
            show(snapshot)
        except Exception:
            broken = True

    return show_if_possible


def line(ending: Ending) -> str:
    """A run that ended, in one line.

    >>> line(Ending("BN to LN, seed 0", "finished", "", 12.3, 0.8431))
    'finished  BN to LN, seed 0: 84.31 %  (12 s)'
    """
    said = ending.message if ending.accuracy is None else f"{100 * ending.accuracy:.2f} %"
    return f"{ending.outcome:9} {ending.label}: {said}  ({hours_and_minutes(ending.seconds)})"


def table(snapshot: Snapshot) -> RenderableType:
    """The live table: what workers do, how far the study is, and below what went wrong."""
    parts = [Text(_status(snapshot)), *_setbacks(snapshot.endings)]
    return Group(_seats(snapshot.seats), *parts) if snapshot.seats else Group(*parts)


def _seats(seats: tuple[Seat, ...]) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("worker", "trains", "epoch", "for"):
        grid.add_column(title, justify="right" if title in ("epoch", "for") else "left")
    for seat in seats:
        grid.add_row(*_seat(seat))
    return grid


def _seat(seat: Seat) -> tuple[str | Text, ...]:
    if not seat.label:
        return str(seat.worker + 1), Text("loads the data" if seat.loading else "waits"), "", ""
    epoch = f"{seat.epoch}/{seat.epochs}" if seat.epochs else ""
    return str(seat.worker + 1), Text(seat.label), epoch, hours_and_minutes(seat.seconds)


def _status(snapshot: Snapshot) -> str:
    parts = [
        f"{snapshot.done} of {snapshot.total} runs",
        f"{hours_and_minutes(snapshot.elapsed)} so far",
    ]
    if snapshot.left is not None and snapshot.done < snapshot.total:
        parts.append(f"≈ {hours_and_minutes(snapshot.left)} left")
    if snapshot.waiting:
        parts.append(f"{snapshot.waiting} in another process")
    return ", ".join(parts)


def _setbacks(endings: tuple[Ending, ...]) -> list[Text]:
    lines = [Text(line(e), _STYLES[e.outcome]) for e in endings if e.outcome in _STYLES]
    hidden = len(lines) - _SETBACKS_SHOWN
    if hidden <= 0:
        return lines
    return [Text(f"... and {hidden} before these"), *lines[-_SETBACKS_SHOWN:]]
