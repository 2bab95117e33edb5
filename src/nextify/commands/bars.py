"""A bar on standard error, where someone watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def bar(*columns: ProgressColumn, **settings: Any) -> Iterator[Callable[..., None]]:
    """What moves the bar, by `description` and `completed` of `total`; it does nothing where
    nobody watches. Further columns and settings are those of rich's `Progress`."""
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda **_: None
        return
    every = (TextColumn("{task.description}"), BarColumn(), *columns)
    with Progress(*every, console=console, **settings) as progress:

        def move(**changes: Any) -> None:
            if not progress.tasks:  # so that nothing is shown where nothing is to be done
                progress.add_task("", total=None)
            progress.update(progress.task_ids[0], **changes)

        yield move


@contextmanager
def step_bar() -> Iterator[Callable[[int, int], None]]:
    """The bar of a training; what `Settings.on_step` takes."""
    columns = MofNCompleteColumn(), TextColumn("steps"), TimeElapsedColumn(), TimeRemainingColumn()
    with bar(*columns) as move:
        yield lambda step, steps: move(description="training", completed=step, total=steps)


@contextmanager
def share_bar(name: str) -> Iterator[Callable[[str, float], None]]:
    """The bar of what is measured; what `bench` takes as `on_progress`."""
    with bar(TimeElapsedColumn(), transient=True) as move:
        yield lambda what, share: move(description=f"{name}: {what}", completed=share, total=1.0)
