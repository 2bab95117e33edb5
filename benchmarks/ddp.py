"""Training images a second of one run: on one process with all threads, and on several with one.

    python benchmarks/ddp.py [--processes 2] [--batch 128] [--rounds 5]

The loop of `nextify train` (images in memory, the recipe `modern-small`, gradients summed) for
`convnext-mini` (layer norm) and `resnet-small` (batch norm, whose statistics are summed, too) at 32
pixels in float32. `threads` is one process with as many threads as there are processes on the other
side; `processes` are these, joined by gloo as torchrun would; `one` is one process with one thread,
for the scale. A round measures the cases one after another, each in new processes: images a second
by the median step after a warm-up. `ratio` is processes to threads in the same round. Prints
medians over rounds with the range, then one JSON line.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import torch

import nextify as nx
from nextify.data import Dataset, Images
from nextify.designs import Run, recipe
from nextify.training import Settings, train_with_network
from nextify.training.world import together

DESIGNS, SIZE, WARM_UP = ("convnext-mini", "resnet-small"), 32, 5


def dataset_of(images: int) -> Dataset:
    """Random images."""
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (images, 3, SIZE, SIZE), generator=draw).to(torch.uint8)
    train = Images(pixels, torch.arange(images) % 10)
    return Dataset(
        name="random", classes=tuple("abcdefghij"), train=train, test=train.take(torch.arange(64)),
        image_size=SIZE, mean=(0.5,) * 3, std=(0.25,) * 3, fingerprint="0" * 64, skipped=(),
        source="made by the benchmark",
    )  # fmt: skip


def measure(design: str, batch: int, steps: int) -> None:
    """In one of the processes: images a second, printed by the first."""
    dataset = dataset_of(batch * (WARM_UP + steps))
    how = recipe("modern-small", epochs=1, batch_size=batch)
    ends: list[float] = []
    with together("cpu") as world:
        run = Run(design=nx.design(design), recipe=how, data=dataset.identity())
        settings = Settings(on_step=lambda *_: ends.append(time.perf_counter()), world=world)
        train_with_network(replace(run, processes=world.size), dataset, settings)
    taken = [b - a for a, b in zip(ends[WARM_UP:-1], ends[WARM_UP + 1 :], strict=True)]
    if world.is_first:
        print(batch / statistics.median(taken))


def images_a_second(
    design: str, processes: int, threads: int, batch: int = 128, steps: int = 20
) -> float:
    """Of a run on so many processes with so many threads each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    counts = f"--batch={batch}", f"--steps={steps}"
    command = [sys.executable, __file__, "--measure", design, *counts]
    started = []
    for rank in range(processes):
        here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port,
                "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1",
                "OMP_NUM_THREADS": threads}  # fmt: skip
        environment = {**os.environ, **{name: str(value) for name, value in here.items()}}
        started.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        )
    said = [process.communicate()[0] for process in started]
    return float(said[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", metavar="DESIGN", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.batch, given.steps)
        return
    many, found = given.processes, []
    cases = {"one": (1, 1), "threads": (1, many), "processes": (many, 1)}
    for design in DESIGNS:
        rounds = [
            {name: images_a_second(design, *case, given.batch, given.steps)
             for name, case in cases.items()}
            for _ in range(given.rounds)
        ]  # fmt: skip
        ratios = [each["processes"] / each["threads"] for each in rounds]
        for name, (processes, threads) in cases.items():
            rates = [each[name] for each in rounds]
            median = statistics.median(rates)
            print(f"{design:15} {name:10} {processes} x {threads}  {median:8,.0f} images/s "
                  f"({min(rates):,.0f} to {max(rates):,.0f})", flush=True)  # fmt: skip
        print(f"{design:15} ratio      {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f})", flush=True)  # fmt: skip
        found.append({"design": design, "rounds": rounds, "ratio": statistics.median(ratios)})
    about = {"processor": platform.processor(), "torch": torch.__version__, "batch": given.batch}
    print(json.dumps({**about, "processes": many, "cases": found}))


if __name__ == "__main__":
    main()
