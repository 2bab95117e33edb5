"""A worker: it loads the data once and trains the runs that it is given, one after another or, of
one stack, at once.

What becomes of a run it says, and records nothing. Whatever goes wrong in training is that run's
record; only what concerns every run (the data cannot be loaded) stops the worker.
"""

import os
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from nextify.designs import Run
from nextify.designs.run import telling
from nextify.errors import InputError, is_of_gpu, is_out_of_memory
from nextify.records import Record
from nextify.requests import DataSpec
from nextify.studies.running.failure import describe, of_error
from nextify.studies.running.messages import Began, Died, Done, Epoch, Message, Ready, Stopped

if TYPE_CHECKING:  # it imports torch, which a supervisor does without
    from nextify.network import Network
    from nextify.training import InitialWeights

OnProgress = Callable[[int, int], None]
"""Called after each epoch, with the number of epochs done and of all."""


class Identified(Protocol):
    """A data set, as far as a study is concerned."""

    def identity(self) -> Mapping[str, Any]:
        """As in `Plan.data`."""


class Setup(Protocol):
    """What a worker does before its first run. Picklable: it travels to the worker."""

    def load(self) -> Identified:
        """The data set that the runs are trained on."""

    def environment(self) -> Mapping[str, Any]:
        """Versions and machine, for the record of a run that fails."""


Train = Callable[[Run, Any, OnProgress], Record | Done]
"""Trains a run on the loaded data. Picklable: a function at the top level of a module."""

TrainStack = Callable[[tuple[Run, ...], Any, OnProgress], Sequence[Record | Done]]
"""Trains the stack of these runs (`Run.stack`), of which they may be a part; what became of each,
in their order. Picklable."""


@dataclass(frozen=True)
class WorkerSetup:
    """Load a data set with `nextify.data.load`."""

    spec: DataSpec

    def load(self) -> Identified:
        """The data set, in a process that computes with one thread."""
        on_one_thread()
        from nextify.data import load  # here, because the supervisor answers without torch

        return load(self.spec)

    def environment(self) -> Mapping[str, Any]:
        """As `nextify.training` writes it into the records of runs that do not fail."""
        from nextify.machine.facts import environment
        from nextify.training import default_device

        return environment(default_device())


def on_one_thread() -> None:
    """Let this process compute with one thread: the cores are busy with other runs, and sums over
    several threads would make a run's bits depend on how many there are.

    Raises:
        RuntimeError: it was given a GPU, and cannot use it.
    """
    import torch

    torch.set_num_threads(1)
    if os.environ.get("CUDA_VISIBLE_DEVICES") and not torch.cuda.is_available():
        raise RuntimeError("CUDA error: the GPU that it was given cannot be used")


def train_run(run: Run, dataset: Any, on_progress: OnProgress) -> Record:
    """Train with `nextify.training`, which only a worker imports."""
    from nextify.training import train

    return train(run, dataset, on_progress, weights_for(run, dataset))


class OfTheStudy(InputError):
    """What is no run's failure, since it concerns others too: it stops the worker."""


def weights_for(run: Run, dataset: Any) -> "InitialWeights | None":
    """The weights that a run starts from, if it starts from any.

    Raises:
        OfTheStudy: they are not there any more, or have changed.
    """
    if run.initial is None:
        return None
    from nextify.training.initial import weights_of

    try:
        return weights_of(run.initial, run.design, tuple(dataset.classes))
    except InputError as error:
        raise OfTheStudy(str(error)) from error


def train_stack(runs: tuple[Run, ...], dataset: Any, on_progress: OnProgress) -> list[Record]:
    """Train a stack with `nextify.training`."""
    return [record for record, _ in stack_trained(runs, dataset, on_progress)]


def stack_trained(
    runs: tuple[Run, ...], dataset: Any, on_progress: OnProgress
) -> "list[tuple[Record, Network]]":
    """The records and networks of some runs of a stack, in their order; it is trained whole."""
    from nextify.training.loop import told_by_epoch
    from nextify.training.stacked import train_stack

    whole = runs[0].stack
    found = train_stack(whole, dataset, told_by_epoch(dataset, on_progress))
    by_seed = {run.seed: each for run, each in zip(whole, found, strict=True)}
    return [by_seed[run.seed] for run in runs]


@dataclass(frozen=True)
class Orders:
    """What every worker of a study is told at its start. Picklable.

    Attributes:
        train_stack: trains the runs of a stack; None: `train` takes them one after another.
        data: `Plan.data`, which the images have to be.
    """

    setup: Setup
    train: Train
    data: Mapping[str, Any] = field(default_factory=dict)
    train_stack: TrainStack | None = None

    def trained(
        self, runs: tuple[Run, ...], dataset: Any, on_progress: OnProgress
    ) -> Sequence[Record | Done]:
        """What becomes of runs of one stack, or of a single run."""
        if self.train_stack is None or runs[0].copies == 1:
            return [self.train(run, dataset, on_progress) for run in runs]
        return self.train_stack(runs, dataset, on_progress)


def work(orders: Orders, given: Iterable[tuple[Run, ...]], say: Callable[[Message], None]) -> None:
    """A worker's life, wherever that is.

    Args:
        given: runs of one stack, or one run; waits for the next, and ends when the worker shall.
        say: takes a message to the supervisor. It must not raise an error where that is gone, but
            end the worker.
    """

    def on_progress(epoch: int, epochs: int) -> None:
        say(Epoch(epoch, epochs))

    try:
        dataset = orders.setup.load()
        _require_same_data(orders.data, dataset.identity())
        environment = dict(orders.setup.environment())
        say(Ready(environment))
        lost = ""
        for runs in given:
            say(Began())
            try:
                found = orders.trained(runs, dataset, on_progress)
            except OfTheStudy:
                raise
            except Exception as error:
                found = [of_error(run, error, environment) for run in runs]
                lost = describe(error) if is_of_gpu(error) else ""
            for done in found:
                say(done if isinstance(done, Done) else Done(done))
            if lost:  # another process may have more luck with the same GPU
                say(Died(lost))
                return
    except InputError as error:
        say(Stopped(describe(error)))
    except Exception as error:
        if is_of_gpu(error) or is_out_of_memory(error):
            say(Died(describe(error)))
        else:
            say(Stopped(describe(error), traceback.format_exc()))


def _require_same_data(planned: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    planned, loaded = telling(planned), telling(loaded)
    for name in {**planned, **loaded}:
        there, here = planned.get(name), loaded.get(name)
        if there != here:
            raise InputError(
                f"the images are not those that the study was planned with: {name!r} was "
                f"{there!r} and is {here!r} now; bring them back, or start another study file"
            )
