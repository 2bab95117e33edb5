"""A whole study on the GPU, its contributions beside the CPU's, and its speed beside timm's loop.

The factor study of studies/cifar10-factors (138 runs; its command is in the Makefile) by the command
line, as a user starts it. If it does not end in time it is interrupted, as by Ctrl-C, and what it
would have taken is worked out from the runs that are recorded: that is said.

Then 16 seeds of one small network by the command line, images a second from the first recorded run
to the last and from start to end, beside timm's loader and loop for the same network, batch and
augmentation (see training.py), with its prefetcher, eager, in bfloat16 by autocast.
"""

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from gpu_rows import Given, Row, row
from scipy import stats
from training import BATCH, Work, timms_loader, timms_network, timms_step

from nextify.errors import InputError
from nextify.findings.attribute import attribute
from nextify.records import Record
from nextify.report.write import read_study

KEPT = Path(__file__).parents[1] / "studies/cifar10-factors/cifar10-factors.study"
FACTORS = ["study", "small", "--experiment", "resolution-5", "--cross", "none"]
TIMMS_SECONDS = 8.0
SEEDS_SECONDS = 30.0
STOPPING = 10.0  # seconds that an interrupted study may take to end


def measure_study(given: Given) -> Iterator[Row]:
    """The study, then the seeds beside timm's loop."""
    yield from seeds_beside_timm(given)
    yield from factors(given, 5.0 if given.smoke else given.left - STOPPING)


def factors(given: Given, seconds: float) -> Iterator[Row]:
    """Minutes of the factor study, and whether it agrees with the one that is kept."""
    file = given.scratch / "factors.study"
    taken, ended = command(given, [*FACTORS, *given.seen], file, seconds)
    plan, records = read_study(file)
    planned = sum(len(plan.seeds_of(cell)) for cell in plan.cells)
    finished = [one for one in records if one.outcome == "finished"]
    others = [f"{one.run['seed']}: {one.outcome}, {one.message}" for one in records
              if one.outcome != "finished"]  # fmt: skip
    yield row("factor study: runs recorded", "runs", len(records),
              about=f"of {planned}; {len(finished)} finished; {others[:3]}")  # fmt: skip
    yield row("factor study: runs a minute", "1/min", 60 * len(records) / taken)
    if records:
        whole = taken / 60 * (1 if ended else planned / len(records))
        how = "from start to end" if ended else "worked out: interrupted before its end"
        yield row("factor study", "min", whole, at_most=10.0, about=how)
    if ended and not given.smoke:
        yield from agreement(file)


def agreement(file: Path) -> Iterator[Row]:
    """Differences of contributions over their joint standard errors, beside the kept study's."""
    here, there = ({one.name: one.estimate for one in attribute(*read_study(of)).contributions}
                   for of in (file, KEPT))  # fmt: skip
    differences, covered = [], 0
    for name, mine in here.items():
        other = there[name]
        if None in (mine.value, mine.error, other.value, other.error):
            continue
        error = math.hypot(mine.error, other.error)  # type: ignore[arg-type]
        df = error**4 / (mine.error**4 / mine.df + other.error**4 / other.df)  # type: ignore[operator]
        differences.append((mine.value - other.value) / error)  # type: ignore[operator]
        covered += abs(differences[-1]) <= stats.t.ppf(0.975, df)
    told = ", ".join(f"{name} {100 * of.value:+.2f}" for name, of in here.items() if of.value)
    yield row("contributions: difference to the CPU's", "joint SE", differences,
              about=f"points here: {told}")  # fmt: skip
    yield row("contributions: intervals of differences that cover 0", "of 8", covered, at_least=7,
              about="95 % by each (Welch); one of 8 misses with a chance of 1/3")  # fmt: skip


def seeds_beside_timm(given: Given) -> Iterator[Row]:
    """Images a second of a study of one network's seeds, and of timm's loop."""
    file, epochs, seeds = given.scratch / "seeds.study", 8, 16
    if given.smoke:
        epochs, seeds = 1, 2
    work = Work(given.folder or Path(), 2, "padded")
    asked = ["compare", "convnext-tiny", "depths=1,1,3,1", "widths=24,48,96,192", "stem_stride=2",
             f"batch_size={BATCH}", "crop=padded", f"epochs={epochs}", "--recipe", "modern",
             "--seeds", str(seeds), "--no-pilot"]  # fmt: skip
    seconds, ended = command(given, [*asked, *given.seen], file, SEEDS_SECONDS)
    _, records = read_study(file)
    if not records:
        raise InputError(f"no run was recorded in {seconds:.0f} s")
    images = sum(map(images_of, records))
    alone = [one.measured.images_per_second for one in records]
    yield row("a run of the study, by itself", "images/s", alone)
    yield row("study of seeds", "images/s", images / seconds,
              about=f"from start to end: {len(records)} runs of {epochs} epochs in {seconds:.1f} s"
              + "; interrupted" * (not ended))  # fmt: skip
    if given.folder is None:
        return
    theirs = timms_rates(given, work)
    yield row("timm's loader and loop", "images/s", theirs, about="seconds one after another")
    best = max(theirs)
    yield row("study of seeds over timm at its best", "times", images / seconds / best,
              at_least=10.0, about="with the start of all processes")  # fmt: skip


def images_of(record: Record) -> int:
    """How many it trained on, one after the other."""
    return record.result.steps * BATCH if record.result else 0


def command(
    given: Given, words: list[str], file: Path, seconds: float
) -> tuple[float, bool]:
    """Carry out a command into a study file; seconds, and whether it came to its end in time."""
    files = ["--file", str(file), "--report", str(file.with_name(f"{file.stem}-report"))]
    began = time.perf_counter()
    line = [sys.executable, "-m", "nextify", *words, *files]
    print(*line, flush=True)
    env = {**os.environ} | ({"CUDA_VISIBLE_DEVICES": ""} if given.device == "cpu" else {})
    process = subprocess.Popen(line, env=env)
    try:
        process.wait(seconds)
        ended = process.returncode == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        ended = False
        try:
            process.wait(STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
    return time.perf_counter() - began, ended


def timms_rates(given: Given, work: Work) -> list[float]:
    """timm's images a second in each of some seconds, after a warm-up of one second."""
    workers = os.cpu_count() or 1
    network = timms_network(work).to(given.device, memory_format=torch.channels_last)
    torch.backends.cudnn.benchmark = True
    loader = timms_loader(work, workers, given.device)
    step = timms_step(network, work.recipe, given.device)
    rates: list[float] = []
    began, count = time.perf_counter(), -1
    for images, targets in itertools.chain.from_iterable(itertools.repeat(loader)):
        step(images, targets)
        count += 1
        now = time.perf_counter()
        if now - began >= 1.0:
            if given.device == "cuda":
                torch.cuda.synchronize()
                now = time.perf_counter()
            rates.append(BATCH * count / (now - began))
            began, count = now, 0
        if len(rates) > TIMMS_SECONDS:
            break
    return rates[1:]
