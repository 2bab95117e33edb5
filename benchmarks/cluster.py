"""What a cluster costs: runs that compute for some seconds, on Ray and by local processes.

    python benchmarks/cluster.py [--seconds 20] [--runs 8] [--rounds 3] [--workers 2]

The same toy study, of runs that multiply matrices on one thread, is carried out by `LocalCrew` and
by `RayCrew` on a cluster that starts here, in turn, with as many workers and on the same cores. The
work of a run is fixed beforehand, so that what Ray's own processes take from it is counted.

- start-up: from nothing to the first run's beginning. Ray's includes starting the cluster.
- span: from there to the end of the last run. Overhead is the ratio of spans, less one.
- own: processor time of a run. What it lasts longer, others had its core; where it differs between
  the two, they have slowed the core down.
- gap: what a worker waits between two of its runs.
- beside: processor time of all processes but the runs themselves within the span, of the workers'
  cores. The clock of a machine that others share is too noisy for two per cent; this is not, but
  whatever else is at work here counts with it. Linux only.

Prints a table, then one JSON line.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np

from nextify.designs import Run, path
from nextify.machine import cores
from nextify.records import Plan, Record, Store
from nextify.studies import Frame, LocalCrew, execute, plan_path
from nextify.studies.running.clusters import cluster, crew_on
from nextify.studies.running.failure import failed

DATA = {
    "name": "none", "fingerprint": "00" * 32, "image_size": 28, "classes": 10,
    "train": 1000, "test": 16,
}  # fmt: skip
SIDE = 192  # of the matrices


@dataclass(frozen=True)
class NoData:
    """Loads nothing."""

    def load(self) -> "NoData":
        return self

    def identity(self) -> dict[str, Any]:
        return DATA

    def environment(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Compute:
    """Multiplies matrices so many times; tells when, in its record's environment."""

    products: int

    def __call__(self, run: Run, dataset: Any, on_progress: Any) -> Record:
        before, began, own = everything(), time.time(), time.process_time()
        multiply(self.products)
        own, ended = time.process_time() - own, time.time()
        told = {"began": began, "ended": ended, "before": before, "after": everything(), "own": own}
        return failed(run, "a benchmark", told)  # which has no result, and needs none


def everything() -> float:
    """Processor seconds of all processes that there are, and of their children that are not."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            ticks += sum(map(int, file.read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def multiply(products: int) -> None:
    """Matrices begin at a page, as where `malloc` puts them makes two per cent of the time."""
    pages = [mmap(-1, 4 * SIDE * SIDE) for _ in range(2)]
    a, product = (np.frombuffer(page, np.float32).reshape(SIDE, SIDE) for page in pages)
    a[:] = np.random.default_rng(0).standard_normal((SIDE, SIDE), dtype=np.float32)
    for _ in range(products):
        np.matmul(a, a, out=product)


def products_of(seconds: float) -> int:
    """How many products take so long, at this machine's best."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        multiply(500)
        took.append(time.perf_counter() - began)
    return max(1, round(500 * seconds / min(took)))


def plan_of(runs: int) -> Plan:
    of = Frame(path("small"), data=DATA, data_source="Nothing.", seeds=tuple(range(runs)))
    plan = plan_path(of)
    return replace(plan, cells=plan.cells[:1])


def measure(kind: str, workers: int, runs: int, train: Compute) -> dict[str, float]:
    """One study, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file, began = Path(folder) / "study.db", time.time()
        with cluster("local") if kind == "ray" else nullcontext():
            crew = crew_on("local", file, most=workers) if kind == "ray" else LocalCrew(workers)
            execute(plan_of(runs), file, NoData(), train=train, crew=crew)
            told = times_of(file)
        ended = time.time()
    first, last = min(each["began"] for each in told), max(each["ended"] for each in told)
    computed = sum(each["ended"] - each["began"] for each in told)
    span = last - first
    gap = (workers * span - computed) / runs
    worked = max(each["after"] for each in told) - min(each["before"] for each in told)
    own = sum(each["own"] for each in told)
    beside = (worked - own) / (workers * span)
    return {"start-up": first - began, "span": span, "run": computed / runs, "own": own / runs,
            "gap": gap, "end": ended - last, "beside": beside}  # fmt: skip


def times_of(file: Path) -> list[dict[str, float]]:
    with Store.open(file, create=False) as store:
        return [dict(record.environment) for record in store.records()]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of a run (default: 20)")
    parser.add_argument("--runs", type=int, default=8, help="of a study (default: 8)")
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--workers", type=int, default=cores(), help="default: one per core")
    asked = parser.parse_args(argv)
    import ray

    train = Compute(products_of(asked.seconds))
    found: dict[str, list[dict[str, float]]] = {"local": [], "ray": []}
    for at in range(asked.rounds):
        for kind in ("local", "ray") if at % 2 == 0 else ("ray", "local"):
            found[kind].append(measure(kind, asked.workers, asked.runs, train))
    print(f"{asked.runs} runs of about {asked.seconds:g} s, {asked.workers} workers; medians of "
          f"{asked.rounds} rounds, in seconds")  # fmt: skip
    columns = ("start-up", "span", "run", "own", "gap", "end", "beside")
    print(" " * 6 + "".join(f"{name:>10}" for name in columns))
    for kind, rounds in found.items():
        *row, beside = (statistics.median(each[name] for each in rounds) for name in columns)
        print(f"{kind:6}" + "".join(f"{value:10.3f}" for value in row) + f"{beside:10.2%}")
    ratios = [ray_["span"] / local["span"] - 1
              for local, ray_ in zip(found["local"], found["ray"], strict=True)]  # fmt: skip
    overhead = statistics.median(ratios)
    print(f"overhead: {100 * overhead:.2f} % ({100 * min(ratios):.2f} to {100 * max(ratios):.2f})")
    about = {"ray": ray.__version__, "python": platform.python_version(), "cores": cores()}
    print(json.dumps({**vars(asked), **about, "overhead": overhead, **found}))


if __name__ == "__main__":
    main()
