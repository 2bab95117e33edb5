"""Carrying out a plan: what is not recorded yet is trained by worker processes, side by side.

Everything that happens is in the study file at once. So to resume is to start again: after an
interrupt, a kill -9 or a power cut, the same call does what is left.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from nextify.errors import InputError
from nextify.records import Plan, Record, Store, places
from nextify.study.running.crew import Crew
from nextify.study.running.jobs import jobs_of
from nextify.study.running.progress import Progress
from nextify.study.running.summary import Summary
from nextify.study.running.supervise import Supervisor
from nextify.study.running.worker import Orders, Setup, Train, train_run


def execute(
    plan: Plan,
    store_path: str | PathLike[str],
    setup: Setup,
    *,
    train: Train = train_run,
    workers: int | None = None,
    devices: Sequence[str] | None = None,
    progress: Progress | None = None,
    retry_failed: bool = False,
) -> Summary:
    """Train and record what is not recorded yet, in the plan's order.

    >>> summary = execute(plan, "study.db", WorkerSetup(source="embedded"))  # doctest: +SKIP

    Args:
        plan: kept in the study file, which may hold the same study with other seeds. Of a
            comparison all that the file then plans is carried out: also what others began there.
        setup: what a worker does first: load the data.
        train: trains a run. workers: processes; by default one per device, or one per core.
        devices: for `CUDA_VISIBLE_DEVICES`, one for each worker in turn; none in it: the CPU.
            By default all GPUs that there are.
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
    supervisor = Supervisor(path, jobs_of(plan), records)
    if supervisor.pending:
        devices = gpus() if devices is None else devices
        crew = Crew(Orders(path, setup, train, plan.data), devices)
        supervisor.carry_out(crew, workers or len(devices) or cores(), progress)
    return supervisor.summary()


def resume(
    store_path: str | PathLike[str], setup: Setup, *, progress: Progress | None = None
) -> Summary:
    """Go on with the study that a file holds. With nothing left to do, it does nothing."""
    with Store.open(store_path, create=False) as store:
        plan = store.plan()
    return execute(plan, store_path, setup, progress=progress)


def cores() -> int:
    """The processor cores that this process may use."""
    # Only Linux tells which ones; a container often has fewer than the machine.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def gpus() -> tuple[str, ...]:
    """The GPUs that torch sees, as names for `CUDA_VISIBLE_DEVICES`."""
    import torch  # takes seconds

    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(at) for at in range(count)]
    return tuple(name.strip() for name in names[:count])


def _open(plan: Plan, path: Path, retry_failed: bool) -> tuple[Plan, Mapping[str, Record]]:
    """Keep the plan; what is to be carried out, and the records that there are, by key."""
    with Store.open(path) as store:
        joined = store.save_plan(plan)
        if retry_failed:
            store.delete_failed()
        # Networks that join a comparison bring seeds that the ones before them have to get too.
        whole = joined if plan.experiment == "comparison" else plan
        done = places(whole, store.records())
        runs = ((c, s) for c in whole.cells for s in whole.seeds_of(c) if (c.name, s) in done)
        return whole, {whole.run(cell, s).key: done[cell.name, s] for cell, s in runs}
