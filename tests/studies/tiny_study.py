"""A study whose runs take milliseconds and need no torch; as a script, a supervisor to kill.

    python tiny_study.py STUDY LOG SECONDS WORKERS [show] [retry]

A run writes its key and its process into LOG when it begins. What it computes depends on its key
alone, as a real run's result does.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nextify.designs import Run, path
from nextify.errors import InputError
from nextify.records import EpochPoint, Measured, Plan, Record, Result, Store
from nextify.studies import Frame, Summary, execute, plain, plan_path
from nextify.studies.running.jobs import jobs_of
from nextify.studies.running.worker import OnProgress

DATA = {
    "name": "none", "fingerprint": "00" * 32, "image_size": 28, "classes": 10,
    "train": 1000, "test": 16,
}  # fmt: skip


def tiny_plan(steps: int = 3, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> Plan:
    of = Frame(
        path("small"),
        data=DATA,
        data_source="Nothing.",
        seeds=seeds,
        recipe_changes={"epochs": 2, "batch_size": 100, **changes},
    )
    plan = plan_path(of)
    return replace(plan, cells=plan.cells[:steps])


@dataclass(frozen=True)
class NoData:
    """Loads nothing; `identity` is what a data set says it is."""

    said: Mapping[str, Any] = field(default_factory=lambda: dict(DATA))

    def load(self) -> "NoData":
        return self

    def identity(self) -> Mapping[str, Any]:
        return self.said

    def environment(self) -> Mapping[str, Any]:
        return {"device": "none"}


@dataclass(frozen=True)
class Broken:
    """A setup that does not come to an end: raises, or kills its process, or only the first."""

    how: str
    first: Path | None = None

    def load(self) -> NoData:
        if self.first is not None:
            try:
                self.first.touch(exist_ok=False)
            except FileExistsError:
                return NoData()
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise {"input": InputError("no such folder"), "bug": KeyError("oops")}[self.how]

    def environment(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True)
class Trainer:
    """Trains a run in `seconds`; runs of the seeds in `mischief` go wrong in that way.

    Attributes:
        company: no run ends before so many workers have begun one, however late they start.
    """

    log: Path
    seconds: float = 0.0
    mischief: Mapping[int, str] = field(default_factory=dict)
    company: int = 1

    def __call__(self, run: Run, dataset: Any, on_progress: OnProgress) -> Record:
        note(self.log, f"{run.key} {os.getpid()}")
        if run.seed in self.mischief:
            return misbehave(run, self.mischief[run.seed])
        while len({worker for _, worker in begun(self.log)}) < self.company:
            time.sleep(0.005)
        for epoch in range(run.recipe.epochs):
            time.sleep(self.seconds / run.recipe.epochs)
            on_progress(epoch + 1, run.recipe.epochs)
        return tiny_record(run, self.seconds)


def note(log: Path, line: str) -> None:
    """Append a line in one write: several processes do."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def tiny_record(run: Run, seconds: float = 0.0) -> Record:
    number = int(run.key[:12], 16) / 7
    points = tuple(
        EpochPoint(epoch=at + 1, learning_rate=number / 3, train_loss=number / (at + 11), images=16)
        for at in range(run.recipe.epochs)
    )
    result = Result(
        accuracy=number / 16**12, nll=number, calibration_error=1 / number, images=16,
        correct=bytes.fromhex(run.key[:4]), curve=points, steps=20,
    )  # fmt: skip
    return Record(
        key=run.key,
        run=run.as_dict(),
        outcome="finished",
        result=result,
        measured=Measured(
            seconds=seconds, evaluation_seconds=0.0, images_per_second=1.0, peak_memory=os.getpid()
        ),
        environment={
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "gpu": os.environ.get("CUDA_VISIBLE_DEVICES"),
        },
    )


def misbehave(run: Run, how: str) -> Record:
    match how:
        case "raise":
            raise ZeroDivisionError("by\nnothing [here]")
        case "memory":
            raise MemoryError
        case "gpu memory":
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
    return replace(
        tiny_record(run),
        outcome="diverged",
        result=None,
        curve=(EpochPoint(epoch=1, learning_rate=1.0, train_loss=float("inf")),),
        message="the loss was not finite",
    )


def begun(log: Path) -> list[tuple[str, int]]:
    """The runs that began, in order: key and process."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(line.split()[0], int(line.split()[1])) for line in lines]


def undisturbed(plan: Plan) -> dict[str, Record]:
    """The records of a study that nothing interrupted, without what differs from time to time."""
    return {
        key: replace(tiny_record(job.run), cells=job.cells, measured=None, environment={})
        for key, job in jobs_of(plan).items()
    }


def determined(store: Path) -> dict[str, Record]:
    """The records without what differs from time to time."""
    with Store.open(store, create=False) as opened:
        return {
            record.key: replace(record, measured=None, environment={})
            for record in opened.records()
        }


def carried_out(plan: Plan, study: str, train: Trainer, **options: Any) -> Summary:
    """By a process of its own: an interrupt says what it says, and ends it."""
    # A shell starts background jobs with SIGINT ignored, and so would be this process.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return execute(plan, study, NoData(), train=train, **options)
    except KeyboardInterrupt as stop:
        print(stop)
        sys.exit(130)


def main() -> None:
    study, log, seconds, workers, *more = sys.argv[1:]
    summary = carried_out(
        tiny_plan(),
        study,
        Trainer(Path(log), float(seconds)),
        workers=int(workers),
        devices=(),
        progress=plain(sys.stdout) if "show" in more else None,
        retry_failed="retry" in more,
    )
    print(f"finished={summary.finished} elsewhere={summary.elsewhere} recorded={summary.recorded}")


if __name__ == "__main__":
    main()
