"""Lines on standard error: notes, and what a long command tells where no terminal shows a bar.

Errors are suppressed: hours of work do not end with a reader that has gone.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TextIO

from nextify.words import hours_and_minutes, one_line, shown

EVERY = 60.0  # seconds between two lines while nothing ends
_IS_QUIET = ContextVar("is_quiet", default=False)  # of one thread


@contextmanager
def hushed(quiet: bool) -> Iterator[None]:
    """Inside, if it is to be quiet, no line is written."""
    before = _IS_QUIET.set(quiet)
    try:
        yield
    finally:
        _IS_QUIET.reset(before)


def is_quiet() -> bool:
    """Whether no line is written."""
    return _IS_QUIET.get()


def note(text: str, stream: TextIO | None = None) -> None:
    """Lines for people, on standard error, so that standard output stays the answer."""
    place = stream or sys.stderr  # None where a shell closed it: print would take stdout then
    if place is not None and not is_quiet():
        with suppress(Exception):
            print(shown(text, keep="\n"), file=place, flush=True)


class Lines:
    """Lines that begin with the time of day: one for each thing that ended, one a minute else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self.began = self.last = time.monotonic()
        self.base: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether nothing was said for a minute."""
        return time.monotonic() - self.last >= EVERY

    def say(self, text: str) -> None:
        """A line, now."""
        self.last = time.monotonic()
        note(one_line(f"{time.strftime('%H:%M:%S')} {text}"), self.stream)

    def tell(self, text: str, share: float, *, ended: bool = False) -> None:
        """A line if something ended or none was due, with the time so far and the time left.

        Args:
            share: of the whole work, 0 to 1. What the first call says was there before: work that
                goes on where it was interrupted has a pace of its own.
        """
        now = time.monotonic()
        if self.base is None:
            self.base, self.began = share, now
        if not ended and not self.is_due:
            return
        elapsed, done = now - self.began, share - self.base
        left = f", about {hours_and_minutes(elapsed * (1 - share) / done)} left" if done > 0 else ""
        self.say(f"{text}; {hours_and_minutes(elapsed)} so far{left if share < 1 else ''}")
