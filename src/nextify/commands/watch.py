"""What a command that takes long tells meanwhile."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nextify.commands.bars import Steps, share_bar, step_bar
from nextify.errors import InputError
from nextify.files import is_there
from nextify.machine.lines import note
from nextify.records import Store
from nextify.report.announce import announced_images, damage_note, skipped_note
from nextify.studies.running.progress import Progress, progress_on, silent

if TYPE_CHECKING:  # it imports torch
    from nextify.data import Dataset


@dataclass(frozen=True, slots=True)
class Watch:
    """Where notes and progress go.

    Attributes:
        note: takes a line. progress: makes what shows a study. steps: makes what shows a training.
        shares: makes what shows a share of work of a name.
    """

    note: Callable[[str], None]
    progress: Callable[[], Progress]
    steps: Callable[[], AbstractContextManager[Steps]]
    shares: Callable[[str], AbstractContextManager[Callable[[str, float], None]]]

    def images(self, images: "Dataset") -> None:
        """Note what images are used and how: when all else that was asked for is known to be
        good."""
        self.note(announced_images(images))
        self.skipped(images.skipped)

    def skipped(self, images: Sequence[str]) -> None:
        """Note how many images were left out, if any were."""
        if images:
            self.note(skipped_note(images))

    def damage(self, file: Path, *, goes_on: bool = False) -> None:
        """Note what is damaged in a study file, if that is anything."""
        if not is_there(file):
            return
        with suppress(InputError), Store.open(file, create=False) as store:  # whoever uses it says
            damage = store.damage()
            if damage and (damage.has_plan or goes_on):
                self.note(damage_note(file, damage, goes_on=goes_on))


ON_STDERR = Watch(note, lambda: progress_on(sys.stderr), step_bar, share_bar)
_SILENT = Steps(lambda step, steps: None, lambda point, epochs: None)
QUIET = Watch(
    lambda line: None,
    silent,
    lambda: nullcontext(_SILENT),
    lambda name: nullcontext(lambda what, share: None),
)
