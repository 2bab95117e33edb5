"""`Kind`: what a kind of study has to say for itself; each is a module of its own."""

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nextify.designs import Precision
from nextify.errors import InputError
from nextify.files import is_there
from nextify.records import Cell, Plan, Record, Store
from nextify.requests import StudyRequest, given
from nextify.studies.running.cards import MOST_COPIES, suited_copies
from nextify.studies.running.worker import Train, train_run

if TYPE_CHECKING:  # it imports torch
    from nextify.data import Dataset


@dataclass(frozen=True, slots=True)
class Stacks:
    """How many runs of a cell a plan trains at once, in a stack (`Run.stack`).

    Attributes:
        most: of a new plan. there: as many as the study that goes on has.
    """

    most: int = 1
    there: int | None = None

    def of(self, cells: Iterable[Cell], seeds: Collection[int]) -> int:
        """Of a plan of these cells, all with these seeds: see `suited_copies`."""
        return self.there or suited_copies(cells, seeds, self.most)


def stacks_for(asked: int | None, device: str, images: "Dataset", there: Plan | None) -> Stacks:
    """What is asked for, else what the machine is good at: stacks on a GPU, where single networks
    are too small for it, of images in its memory; none on a CPU. A study that goes on keeps what it
    has, unless fewer are asked for, which is another study.

    Args:
        asked: at most so many. device: as torch names it.
    """
    if there is not None:
        most = asked or there.copies
        return Stacks(most, there.copies if there.copies <= most else None)
    usual = MOST_COPIES if device != "cpu" and not images.is_streamed else 1
    return Stacks(asked or usual)


def copies_said(there: Plan | None) -> int | None:
    """The `--copies` of the study that goes on: its command stays the same on another machine."""
    said = (given(each).get("copies") for each in there.requests) if there else ()
    return next(filter(None, said), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a plan is made from.

    Attributes:
        request: with its precision settled. precision: what it is. stacks: how many runs of a
            cell are trained at once.
        images: as loaded. file: where the study is or will be kept. there: the plan in it, if it
            goes on.
    """

    request: StudyRequest
    precision: Precision
    images: "Dataset"
    file: Path | None = None
    there: Plan | None = None
    stacks: Stacks = field(default_factory=Stacks)

    @property
    def shared(self) -> dict[str, Any]:
        """What all kinds of plans take from the images."""
        return {
            "data": self.images.identity(),
            "data_source": self.images.source,
            "largest_class": self.images.largest_class,
            "precision": self.precision,
        }


def plan_there(file: Path) -> Plan | None:
    """The plan in a study file, if there is one; what is wrong with a file, `execute` says."""
    if is_there(file):
        with suppress(InputError), Store.open(file, create=False) as store:
            return store.plan()
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of study.

    Attributes:
        plan: the cells and seeds that are asked for. train: how a cell is trained with a seed.
        findings: arithmetic on a plan and its records. page: that shows them.
    """

    plan: Callable[[Asked], Plan]
    train: Train = train_run
    findings: Callable[[Plan, Iterable[Record]], Any]
    page: Literal["steps", "factors", "comparison"]
