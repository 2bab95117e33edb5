"""Carrying out a plan: what is not recorded yet is trained by workers, side by side.

Everything that happens is in the study file at once. So to resume is to start again: after an
interrupt, a kill -9 or a power cut, the same call does what is left.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from nextify.records import Plan, Record, Store, places
from nextify.studies.running.cards import suited_workers
from nextify.studies.running.crew import Crew
from nextify.studies.running.live import told
from nextify.studies.running.local import LocalCrew
from nextify.studies.running.locks import RunLocks
from nextify.studies.running.progress import Progress
from nextify.studies.running.summary import Summary
from nextify.studies.running.supervise import Supervisor
from nextify.studies.running.worker import (
    Orders,
    Setup,
    Train,
    TrainStack,
    train_run,
    train_stack,
)
from nextify.words import whole_number


def execute(
    plan: Plan,
    store_path: str | PathLike[str],
    setup: Setup,
    *,
    train: Train = train_run,
    train_stack: TrainStack | None = train_stack,
    workers: int | None = None,
    devices: Sequence[str] | None = None,
    crew: Crew | None = None,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Summary:
    """Train and record what is not recorded yet, in the plan's order.

    >>> summary = execute(plan, "study.db", WorkerSetup(DataSpec()))  # doctest: +SKIP

    Args:
        plan: kept in the study file, which may hold the same study with other seeds. Of a
            comparison all that the file then plans is carried out: also what others began there.
        setup: what a worker does first: load the data.
        train: trains a run. train_stack: trains runs of a stack, where the plan has `copies`;
            None: `train` takes them one after another.
        workers: processes; by default one a core or, on GPUs, what suits the largest network.
        devices: for `CUDA_VISIBLE_DEVICES`, one for each worker in turn; none in it: the CPU.
            By default all GPUs that there are.
        crew: who trains, instead of processes of this machine (see `Crew`).
        progress: see `progress_on`; by default nothing is shown.
        retry_failed: run again what failed earlier.

    Raises:
        InputError: nothing can be recorded (a full disk, another study in the file), or the data
            cannot be loaded.
        Interrupted: by Ctrl-C, a `KeyboardInterrupt`. All workers have ended.
    """
    path = Path(store_path)
    if workers is not None:
        whole_number("workers", workers)
    plan, records = _open(plan, path, retry_failed)
    with RunLocks(path) as locks, told(path, locks) as tell:
        supervisor = Supervisor(path, plan, records, locks)
        if supervisor.pending:
            crew = crew or _local_crew(plan, workers, devices)
            orders = Orders(setup, train, plan.data, train_stack)
            supervisor.carry_out(crew, orders, tell, progress)
        return supervisor.summary()


def gpus() -> tuple[str, ...]:
    """The GPUs that torch sees, as names for `CUDA_VISIBLE_DEVICES`. A process sees one part of a
    divided GPU (MIG) at the most: of those that are named, every worker may have another."""
    import torch  # takes seconds

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(at) for at in range(count)]
    named = [name.strip() for name in names]
    are_parts = count > 0 and all(name.startswith("MIG-") for name in named)
    return tuple(named if are_parts else named[:count])


def workers_on(plan: Plan, devices: Sequence[str]) -> int:
    """How many runs, or stacks, are trained side by side on these GPUs (none: on the CPU)."""
    return suited_workers(plan, devices, _smallest_memory() if devices else None)


def _smallest_memory() -> int | None:
    """Bytes, of the GPUs that torch sees."""
    import torch

    properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return min((each.total_memory for each in properties), default=None)


def _local_crew(plan: Plan, workers: int | None, devices: Sequence[str] | None) -> Crew:
    devices = gpus() if devices is None else devices
    return LocalCrew(workers or workers_on(plan, devices), devices)


def _open(plan: Plan, path: Path, retry_failed: bool) -> tuple[Plan, Sequence[Record]]:
    """Keep the plan; what is to be carried out, and the records that there are."""
    with Store.open(path) as store:
        joined = store.save_plan(plan)
        # Networks that join a comparison bring seeds that the ones before them have to get too.
        whole = joined if plan.experiment == "comparison" else replace(plan, data=joined.data)
        if retry_failed:
            store.delete_failed(each.key for each in places(whole, store.records()).values())
        return whole, store.records()
