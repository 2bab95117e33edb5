"""What a command that takes long tells meanwhile."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from nextify.commands.bars import step_bar
from nextify.report.announce import skipped_note
from nextify.studies.running.progress import Progress, progress_on, silent


@dataclass(frozen=True, slots=True)
class Watch:
    """Where notes and progress go.

    Attributes:
        note: takes a line. progress: makes what shows a study. steps: makes what shows a training.
    """

    note: Callable[[str], None]
    progress: Callable[[], Progress]
    steps: Callable[[], AbstractContextManager[Callable[[int, int], None]]]

    def skipped(self, images: Sequence[str]) -> None:
        """Note how many images were left out, if any were."""
        if images:
            self.note(skipped_note(images))


def _note(line: str) -> None:
    with suppress(OSError):  # its reader may have gone; the work goes on
        print(line, file=sys.stderr)


ON_STDERR = Watch(_note, lambda: progress_on(sys.stderr), step_bar)
QUIET = Watch(lambda line: None, silent, lambda: nullcontext(lambda step, steps: None))
