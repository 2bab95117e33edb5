"""`Kind`: what a kind of study has to say for itself; each is a module of its own."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nextify.designs import Precision
from nextify.errors import InputError
from nextify.files import is_there
from nextify.records import Plan, Record, Store
from nextify.requests import StudyRequest
from nextify.studies.running.worker import Train, train_run

if TYPE_CHECKING:  # it imports torch
    from nextify.data import Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a plan is made from.

    Attributes:
        request: with its precision settled. precision: what it is.
        images: as loaded. file: where the study is or will be kept. there: the plan in it, if it
            goes on.
    """

    request: StudyRequest
    precision: Precision
    images: "Dataset"
    file: Path | None = None
    there: Plan | None = None

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
