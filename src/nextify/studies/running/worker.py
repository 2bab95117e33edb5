"""A worker: it loads the data once and trains the runs that it is given, one after another.

What becomes of a run it says, and records nothing. Whatever goes wrong in training is that run's
record; only what concerns every run (the data cannot be loaded) stops the worker.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nextify.designs import Run
from nextify.designs.run import telling
from nextify.errors import InputError
from nextify.records import Record
from nextify.requests import DataSpec
from nextify.studies.running.failure import describe, of_error
from nextify.studies.running.messages import Began, Done, Epoch, Message, Ready, Stopped

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


@dataclass(frozen=True)
class WorkerSetup:
    """Load a data set with `nextify.data.load`."""

    spec: DataSpec

    def load(self) -> Identified:
        """The data set, in a process that computes with one thread."""
        import torch  # here, because the supervisor answers without it

        from nextify.data import load

        # One thread a worker: the cores are busy with other runs, and sums over several threads
        # would make a run's bits depend on how many there are.
        torch.set_num_threads(1)
        return load(self.spec)

    def environment(self) -> Mapping[str, Any]:
        """As `nextify.training` writes it into the records of runs that do not fail."""
        from nextify.machine.facts import environment
        from nextify.training import default_device

        return environment(default_device())


def train_run(run: Run, dataset: Any, on_progress: OnProgress) -> Record:
    """Train with `nextify.training`, which only a worker imports."""
    from nextify.training import train

    return train(run, dataset, on_progress)


@dataclass(frozen=True)
class Orders:
    """What every worker of a study is told at its start. Picklable."""

    setup: Setup
    train: Train
    data: Mapping[str, Any] = field(default_factory=dict)


def work(orders: Orders, runs: Iterable[Run], say: Callable[[Message], None]) -> None:
    """A worker's life, wherever that is.

    Args:
        runs: what it is given; waits for the next one, and ends when the worker shall.
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
        for run in runs:
            say(Began())
            try:
                done = orders.train(run, dataset, on_progress)
            except Exception as error:
                done = of_error(run, error, environment)
            say(done if isinstance(done, Done) else Done(done))
    except InputError as error:
        say(Stopped(describe(error)))
    except Exception as error:
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
