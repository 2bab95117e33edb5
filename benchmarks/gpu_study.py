"""A whole study on the GPU, and its contributions beside the CPU's; the speed of one beside timm's.

The factor study of studies/cifar10-factors (138 runs; its command is in the Makefile) by the
command line, as a user starts it (without the pilot, which only forecasts). If it does not end in
time it is interrupted, as by Ctrl-C, and what it would have taken is worked out from the runs that
are recorded: that is said.

In a section of its own, 32 seeds of one small network by the command line, images a second from
start to end and while training, beside timm's loader and loop for the same network, batch and
augmentation (see training.py), with its prefetcher and a process for each core, eager, in bfloat16
by autocast.
"""

import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from gpu_rows import Given, Row, row
from scipy import stats

from nextify.errors import InputError
from nextify.findings.attribute import attribute
from nextify.records import Record
from nextify.report.write import read_study
from training import BATCH, Work, timms_loader, timms_network, timms_step

KEPT = Path(__file__).parents[1] / "studies/cifar10-factors/cifar10-factors.study"
FACTORS = ["study", "small", "--experiment", "resolution-5", "--cross", "none"]
TIMMS_SECONDS = 8.0
SEEDS_SECONDS = 40.0
STOPPING = 10.0  # seconds that an interrupted study may take to end


def measure_study(given: Given) -> Iterator[Row]:
    """Minutes of the factor study, and whether it agrees with the one that is kept."""
    seconds = 20.0 if given.smoke else given.left - STOPPING
    file = given.scratch / "factors.study"
    words = [*FACTORS, "--no-pilot", *["epochs=1"] * given.smoke, *given.seen]
    done = command(given, words, file, seconds)
    if not file.exists():
        raise InputError(f"no study was begun in {done.seconds:.0f} s")
    shutil.copy(file, given.output)
    plan, records = read_study(file)
    planned = sum(len(plan.seeds_of(cell)) for cell in plan.cells)
    others = [f"seed {one.seed}: {one.outcome}, {one.message}" for one in records
              if one.outcome != "finished"]  # fmt: skip
    yield row("factor study: runs recorded", "runs", len(records),
              about=f"of {planned}; not finished: {others[:3]}")  # fmt: skip
    if done.training and records:
        rate = 60 * len(records) / done.training
        yield row("factor study: runs a minute, while training", "1/min", rate)
        rest = 0.0 if done.ended else (planned - len(records)) / rate
        how = "from start to end" if done.ended else "worked out: interrupted before its end"
        yield row("factor study", "min", done.seconds / 60 + rest, at_most=10.0, about=how)
    if done.ended and not given.smoke:
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


def measure_seeds(given: Given) -> Iterator[Row]:
    """Images a second of a study of one network's seeds, and of timm's loop."""
    file = given.scratch / "seeds.study"
    epochs, seeds, most = (1, 2, 120.0) if given.smoke else (6, 32, SEEDS_SECONDS)
    work = Work(given.folder or Path(), 2, "padded")
    asked = ["compare", "convnext-tiny", "depths=1,1,3,1", "widths=24,48,96,192", "stem_stride=2",
             f"batch_size={BATCH}", "crop=padded", f"epochs={epochs}", "--recipe", "modern",
             "--seeds", str(seeds), "--no-pilot"]  # fmt: skip
    done = command(given, [*asked, *given.seen], file, most)
    _, records = read_study(file)
    images = sum(map(images_of, records))
    if not images:
        raise InputError(f"no run was recorded in {done.seconds:.0f} s")
    about = f"{len(records)} runs of {epochs} epochs" + "; interrupted" * (not done.ended)
    yield row("study of seeds, start to end", "images/s", images / done.seconds,
              about=f"{done.seconds:.1f} s; {about}")  # fmt: skip
    yield row("study of seeds, while training", "images/s", images / done.training,
              about=f"{done.training:.1f} s; {about}")  # fmt: skip
    if given.folder is None:
        return
    theirs = timms_rates(given, work)
    yield row("timm's loader and loop", "images/s", theirs, about="each for a second")
    yield row("study of seeds, start to end, over timm at its best", "times",
              images / done.seconds / max(theirs))  # fmt: skip
    yield row("study of seeds, while training, over timm at its best", "times",
              images / done.training / max(theirs), at_least=10.0)  # fmt: skip


def images_of(record: Record) -> int:
    """How many it trained on, one after the other."""
    return record.result.steps * BATCH if record.result else 0


@dataclass(frozen=True)
class Command:
    """A command that trains a study, carried out.

    Attributes:
        seconds: from start to end. training: from the moment when a worker has begun its first run
            to that when the last one has ended (to a second): without imports, loading, report.
        ended: it came to its end in time, and was not interrupted.
    """

    seconds: float
    training: float
    ended: bool


def command(given: Given, words: list[str], file: Path, seconds: float) -> Command:
    """Carry out a command into a study file; after so many seconds interrupt it."""
    files = ["--file", str(file), "--report", str(file.with_name(f"{file.stem}-report"))]
    line = [sys.executable, "-m", "nextify", *words, *files]
    print(*line, flush=True)
    env = {**os.environ} | ({"CUDA_VISIBLE_DEVICES": ""} if given.device == "cpu" else {})
    began, asked = time.perf_counter(), False
    first = last = None
    process = subprocess.Popen(line, env=env)
    while process.poll() is None:
        time.sleep(0.1)
        now = time.perf_counter() - began
        if trains(file):
            first, last = first or now, now
        if now > seconds and not asked:
            process.send_signal(signal.SIGINT)
            asked = True
        if now > seconds + STOPPING:
            process.kill()
    training = 0.0 if first is None or last is None else last - first
    ended = process.returncode == 0 and not asked
    return Command(time.perf_counter() - began, training, ended)


def trains(study: Path) -> bool:
    """Whether a worker has a run, by the file that a study keeps beside it while it trains."""
    try:
        live = json.loads(Path(f"{study}.live").read_bytes())
    except (OSError, ValueError):
        return False
    return any(seat["label"] for seat in live["seats"]) or live["done"] > 0


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
