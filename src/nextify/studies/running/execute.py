"""Carrying out a plan: what is not recorded yet is trained by workers, side by side.

Everything that happens is in the study file at once. So to resume is to start again: after an
interrupt, a kill -9 or a power cut, the same call does what is left.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from nextify.errors import InputError
from nextify.machine import cores
from nextify.records import Plan, Record, Store
from nextify.studies.running.crew import Crew
from nextify.studies.running.live import told
from nextify.studies.running.local import LocalCrew
from nextify.studies.running.locks import RunLocks
from nextify.studies.running.progress import Progress
from nextify.studies.running.summary import Summary
from nextify.studies.running.supervise import Supervisor
from nextify.studies.running.worker import Orders, Setup, Train, train_run


def execute(
    plan: Plan,
    store_path: str | PathLike[str],
    setup: Setup,
    *,
    train: Train = train_run,
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
        train: trains a run. workers: processes; by default one per device, or one per core.
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
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}; it must be at least 1")
    plan, records = _open(plan, path, retry_failed)
    with RunLocks(path) as locks, told(path, locks) as tell:
        supervisor = Supervisor(path, plan, records, locks)
        if supervisor.pending:
            crew = crew or _local_crew(workers, devices)
            supervisor.carry_out(crew, Orders(setup, train, plan.data), tell, progress)
        return supervisor.summary()


def gpus() -> tuple[str, ...]:
    """The GPUs that torch sees, as names for `CUDA_VISIBLE_DEVICES`."""
    import torch  # takes seconds

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(at) for at in range(count)]
    return tuple(name.strip() for name in names[:count])


def _local_crew(workers: int | None, devices: Sequence[str] | None) -> Crew:
    devices = gpus() if devices is None else devices
    return LocalCrew(workers or len(devices) or cores(), devices)


def _open(plan: Plan, path: Path, retry_failed: bool) -> tuple[Plan, Sequence[Record]]:
    """Keep the plan; what is to be carried out, and the records that there are."""
    with Store.open(path) as store:
        joined = store.save_plan(plan)
        if retry_failed:
            store.delete_failed()
        # Networks that join a comparison bring seeds that the ones before them have to get too.
        whole = joined if plan.experiment == "comparison" else replace(plan, data=joined.data)
        return whole, store.records()
