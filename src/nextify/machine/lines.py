"""What a long command tells where no terminal shows a bar: plain lines, for a pipe or a file.

Errors are suppressed: hours of work do not end with a reader that has gone.
"""

import sys
import time
from contextlib import suppress
from typing import TextIO

from nextify.words import hours_and_minutes

EVERY = 60.0  # seconds between two lines while nothing ends


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
        with suppress(Exception):
            print(f"{time.strftime('%H:%M:%S')} {text}", file=self.stream or sys.stderr, flush=True)

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
