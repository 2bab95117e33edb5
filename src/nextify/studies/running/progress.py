"""How a study shows what it is doing: a live table on a terminal, else plain lines.

A supervisor hands a `Snapshot` to whatever shows it, again and again. What is shown is a function
of the snapshot alone. Errors are suppressed: hours of training do not end with a terminal that was
closed.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nextify.machine.lines import Lines
from nextify.records import Outcome
from nextify.words import hours_and_minutes, one_line

_SETBACKS_SHOWN = 8
_SEATS_SHOWN = 4  # in a line
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
            is training. waiting_for: the first of these, in words.
        seats: per worker. endings: of this start, in order.
        elapsed: seconds since the start. left: seconds to come, None if unknown.
        pid: of the supervisor. started_at: in UTC, ISO 8601.
    """

    total: int
    done: int
    waiting: int
    seats: tuple[Seat, ...]
    endings: tuple[Ending, ...]
    elapsed: float
    left: float | None
    pid: int = 0
    started_at: str = ""
    waiting_for: str = ""


Show = Callable[[Snapshot], None]
Progress = AbstractContextManager[Show]


def progress_on(stream: TextIO | None) -> Progress:
    """What suits a stream: a live table on a terminal, else lines; nothing where it is closed."""
    is_terminal = stream is not None and stream.isatty()
    return redrawn(Console(file=stream)) if is_terminal else plain(stream)


def silent() -> Progress:
    """Show nothing."""
    return nullcontext(lambda snapshot: None)


@contextmanager
def plain(stream: TextIO | None) -> Iterator[Show]:
    """A line at the start, one for each run that ends, and one a minute while none does."""
    lines, shown, is_first = Lines(stream), 0, True

    def show(snapshot: Snapshot) -> None:
        nonlocal shown, is_first
        if is_first and snapshot.done < snapshot.total:
            lines.say(_status(snapshot))
        is_first = False
        new, shown = snapshot.endings[shown:], len(snapshot.endings)
        for at, ending in enumerate(new, start=snapshot.done - len(new) + 1):
            lines.say(f"[{at}/{snapshot.total}] {line(ending)}{_left(snapshot)}")
        if lines.is_due:
            lines.say("; ".join([_status(snapshot), *_trained(snapshot.seats)]))

    yield show


def _left(snapshot: Snapshot) -> str:
    if snapshot.left is None or snapshot.done >= snapshot.total:
        return ""
    return f", about {hours_and_minutes(snapshot.left)} left"


def _trained(seats: tuple[Seat, ...]) -> list[str]:
    """What workers do, a few of them."""
    busy = [f"{seat.label}: epoch {seat.epoch} of {seat.epochs}" for seat in seats if seat.epochs]
    return busy[:_SEATS_SHOWN]


@contextmanager
def redrawn(console: Console) -> Iterator[Show]:
    """A table that is drawn anew."""
    display = Live(console=console, auto_refresh=False, redirect_stdout=False)

    def show(snapshot: Snapshot) -> None:
        with suppress(Exception):
            display.update(table(snapshot), refresh=True)

    with suppress(Exception):
        display.start()
    try:
        yield show
    finally:
        with suppress(Exception):
            display.stop()


def line(ending: Ending) -> str:
    """A run that ended, in one line.

    >>> line(Ending("BN to LN, seed 0", "finished", "", 12.3, 0.8431))
    'finished  BN to LN, seed 0: 84.31 %  (12 s)'
    """
    said = ending.message if ending.accuracy is None else f"{100 * ending.accuracy:.2f} %"
    time = hours_and_minutes(ending.seconds)
    return one_line(f"{ending.outcome:9} {ending.label}: {said}  ({time})")


def table(snapshot: Snapshot) -> RenderableType:
    """The live table: what workers do, how far the study is, and below what went wrong."""
    seats = [_seats(snapshot.seats)] if snapshot.seats else []
    return Group(*seats, Text(_status(snapshot)), *_setbacks(snapshot.endings))


def _seats(seats: tuple[Seat, ...]) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("worker", "trains", "epoch", "for"):
        grid.add_column(title, justify="right" if title in ("epoch", "for") else "left")
    for seat in seats:
        trains = seat.label or ("loads the data" if seat.loading else "waits")
        epoch = f"{seat.epoch}/{seat.epochs}" if seat.epochs else ""
        time = hours_and_minutes(seat.seconds) if seat.label else ""
        grid.add_row(str(seat.worker + 1), Text(trains), epoch, time)
    return grid


def _status(snapshot: Snapshot) -> str:
    time = hours_and_minutes(snapshot.elapsed)
    waits = f", {snapshot.waiting} in another process: {snapshot.waiting_for}"
    runs = f"{snapshot.done} of {snapshot.total} runs"
    return f"{runs}, {time} so far{_left(snapshot)}{waits * bool(snapshot.waiting)}"


def _setbacks(endings: tuple[Ending, ...]) -> list[Text]:
    lines = [Text(line(e), _STYLES[e.outcome]) for e in endings if e.outcome in _STYLES]
    hidden = len(lines) - _SETBACKS_SHOWN
    before = [Text(f"... and {hidden} before these")] if hidden > 0 else []
    return [*before, *lines[-_SETBACKS_SHOWN:]]
