"""What a command that takes long tells meanwhile."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from nextify.study.running.progress import Progress, progress_on, silent


@dataclass(frozen=True, slots=True)
class Watch:
    """Where notes and progress go.

    Attributes:
        note: takes a line. progress: makes what shows a study's progress.
    """

    note: Callable[[str], None]
    progress: Callable[[], Progress]


def on_stderr() -> Watch:
    """Notes and progress on standard error: for people, beside an answer."""
    return Watch(lambda line: print(line, file=sys.stderr), lambda: progress_on(sys.stderr))


QUIET = Watch(lambda line: None, silent)
