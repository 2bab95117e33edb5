"""What a long command shows on standard error: a bar on a terminal, else plain lines."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nextify.machine.lines import Lines
from nextify.records import EpochPoint


@contextmanager
def bar(
    console: Console, *columns: ProgressColumn, **settings: Any
) -> Iterator[Callable[..., None]]:
    """What moves a bar on a terminal, by `description` and `completed` of `total`. Further columns
    and settings are those of rich's `Progress`."""
    every = (TextColumn("{task.description}"), BarColumn(), *columns)
    with Progress(*every, console=console, **settings) as progress:

        def move(**changes: Any) -> None:
            if not progress.tasks:  # so that nothing is shown where nothing is to be done
                progress.add_task("", total=None)
            progress.update(progress.task_ids[0], **changes)

        yield move


@dataclass(frozen=True, slots=True)
class Steps:
    """Shows a training: what `Settings.on_step` and `Settings.on_epoch` take."""

    step: Callable[[int, int], None]
    epoch: Callable[[EpochPoint, int], None]


@contextmanager
def step_bar() -> Iterator[Steps]:
    """The bar of a training; in a pipe a line an epoch, and one a minute within long ones."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _step_lines(Lines())
        return
    columns = MofNCompleteColumn(), TextColumn("steps"), TimeElapsedColumn(), TimeRemainingColumn()
    with bar(console, *columns) as move:
        yield Steps(
            lambda step, steps: move(description="training", completed=step, total=steps),
            lambda point, epochs: None,
        )


def _step_lines(lines: Lines) -> Steps:
    def epoch(point: EpochPoint, epochs: int) -> None:
        scores = f"training loss {point.train_loss:.4f}, accuracy {point.accuracy:.2%}"
        told = f"epoch {point.epoch} of {epochs}: {scores}"
        lines.tell(told, point.epoch / epochs, ended=True)

    return Steps(lambda step, steps: lines.tell(f"step {step:,} of {steps:,}", step / steps), epoch)


@contextmanager
def share_bar(name: str) -> Iterator[Callable[[str, float], None]]:
    """The bar of what is measured, and the share of all that is done: what `bench` takes as
    `on_progress`. In a pipe a line for each that begins."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield _share_lines(name, Lines())
        return
    with bar(console, TimeElapsedColumn(), transient=True) as move:
        yield lambda what, share: move(description=f"{name}: {what}", completed=share, total=1.0)


def _share_lines(name: str, lines: Lines) -> Callable[[str, float], None]:
    last = ""

    def show(what: str, share: float) -> None:
        nonlocal last
        lines.tell(f"{name}: {what}, {share:.0%} done", share, ended=what != last)
        last = what

    return show
