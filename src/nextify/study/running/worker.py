"""A worker: a process that loads the data once and trains the runs that it is given.

For each run: take its lock, look whether it has been recorded, train it, record it, release the
lock. Whatever goes wrong in training is that run's record; only what concerns every run (the data
cannot be loaded, nothing can be recorded) stops the worker.
"""

import os
import signal
import time
import traceback
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from nextify.designs import Run
from nextify.errors import InputError
from nextify.machine.processes import end_with_parent
from nextify.records import Record, Store
from nextify.study.running.failure import describe, of_error
from nextify.study.running.locks import RunLocks
from nextify.study.running.messages import (
    Began,
    Elsewhere,
    Ended,
    Epoch,
    Known,
    Message,
    Ready,
    Stopped,
)


class OnProgress(Protocol):
    """Called after each epoch, with the number of epochs done and of all."""

    def __call__(self, epoch: int, epochs: int) -> None: ...


class Identified(Protocol):
    """A data set, as far as a study is concerned."""

    def identity(self) -> Mapping[str, Any]:
        """As in `Plan.data`."""
        ...


class Setup(Hashable, Protocol):
    """What a worker does before its first run. Picklable: it travels to the worker."""

    def load(self) -> Identified:
        """The data set that the runs are trained on."""
        ...

    def environment(self) -> Mapping[str, Any]:
        """Versions and machine, for the record of a run that fails."""
        ...


class Train(Protocol):
    """Trains a run on the loaded data. Picklable: a function at the top level of a module."""

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record: ...


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """Load a data set with `nextify.data.load`; see there for the arguments.

    Attributes:
        hold_out: test on some of the training images (`nextify.data.held_out`).
    """

    source: str
    image_size: int | None = None
    split_seed: int = 0
    skip_unreadable: bool = False
    train_limit: int | None = None
    memory_limit: int | None = None
    hold_out: bool = False

    def load(self) -> Identified:
        """The data set, in a process that computes with one thread."""
        import torch  # here, because the supervisor answers without it

        from nextify.data import held_out, load

        # One thread a worker: the cores are busy with other runs, and sums over several threads
        # would make a run's bits depend on how many there are.
        torch.set_num_threads(1)
        dataset = load(
            self.source,
            image_size=self.image_size,
            split_seed=self.split_seed,
            skip_unreadable=self.skip_unreadable,
            train_limit=self.train_limit,
            memory_limit=self.memory_limit,
        )
        return held_out(dataset, self.split_seed) if self.hold_out else dataset

    def environment(self) -> Mapping[str, Any]:
        """As `nextify.training` writes it into the records of runs that do not fail."""
        from nextify.training import default_device, environment

        return environment(default_device())


def train_run(run: Run, dataset: Any, on_progress: OnProgress) -> Record:
    """Train with `nextify.training`, which only a worker imports."""
    from nextify.training import train

    return train(run, dataset, on_progress)


@dataclass(frozen=True)
class Orders:
    """What every worker of a study is told at its start."""

    study: Path
    setup: Setup
    train: Train
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Desk:
    """What a worker has at hand once it has started."""

    orders: Orders
    dataset: Identified
    environment: Mapping[str, Any]
    locks: RunLocks
    connection: Connection


def work(connection: Connection, orders: Orders, supervisor: int) -> None:
    """A worker's life, as the target of a process. `supervisor` is the parent's process id."""
    # Ctrl-C is for the supervisor, which ends us. SIGINT is blocked from birth, but what training
    # uses may unblock it (multiprocessing does, when a worker starts processes of its own).
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(supervisor)
    os.dup2(2, 1)  # the study's standard output may be read by a program
    try:
        _serve(connection, orders)
    except InputError as error:
        connection.send(Stopped(describe(error)))
    except (EOFError, ConnectionError):
        return  # the supervisor is gone
    except Exception as error:
        connection.send(Stopped(describe(error), traceback.format_exc()))


def _serve(connection: Connection, orders: Orders) -> None:
    dataset = orders.setup.load()
    _require_same_data(orders.data, dataset.identity())
    environment = dict(orders.setup.environment())
    with RunLocks(orders.study) as locks:
        desk = _Desk(orders, dataset, environment, locks, connection)
        connection.send(Ready(environment))
        while (run := connection.recv()) is not None:
            connection.send(_attempt(desk, run))


def _attempt(desk: _Desk, run: Run) -> Message:
    """Train a run that nobody trains or has trained."""
    if not desk.locks.claim(run.key):
        return Elsewhere()
    try:
        with Store.open(desk.orders.study, create=False) as store:
            if store.get(run.key) is not None:
                return Known()
        desk.connection.send(Began())
        began = time.monotonic()
        record = _trained(desk, run)
        with Store.open(desk.orders.study, create=False) as store:
            store.add(record)
        accuracy = record.result.accuracy if record.result else None
        return Ended(record.outcome, record.message, time.monotonic() - began, accuracy)
    finally:
        desk.locks.release(run.key)


def _trained(desk: _Desk, run: Run) -> Record:
    """The run's record; of its failure, if it raises an error."""

    def on_progress(epoch: int, epochs: int, *_: Any) -> None:
        try:
            desk.connection.send(Epoch(epoch, epochs))
        except OSError:
            os._exit(1)  # without a supervisor; raised here, it would be recorded as a failure

    try:
        return desk.orders.train(run, desk.dataset, on_progress)
    except Exception as error:
        return of_error(run, error, desk.environment)


def _require_same_data(planned: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    for name in {**planned, **loaded}:
        there, here = planned.get(name), loaded.get(name)
        if there != here:
            raise InputError(
                f"the images are not those that the study was planned with: {name!r} was "
                f"{there!r} and is {here!r} now; bring them back, or start another study file"
            )
