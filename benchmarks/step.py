"""Training steps a second: eager, captured, and fed; of small networks, on a GPU or a CPU.

    python benchmarks/step.py [cuda]

Each row is a network, a batch and a precision. `eager` and `captured` repeat a step on one batch
that is there; `fed` is the captured step with the full modern augmentation of ever new batches,
from 10,000 images of 32 pixels, as a study trains. In images a second: the best of three rounds.
`draw_ms` is what the random numbers of a batch cost the processor. Prints a table, then one JSON
line.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from nextify.data import Dataset, Images
from nextify.data.augment import Mix
from nextify.designs import Precision, Run, design, recipe
from nextify.training.feed import augmentation, fed
from nextify.training.loop import Settings, step_of
from nextify.training.machine import deterministic, keep_freed_memory
from nextify.training.state import State, start
from nextify.training.step import Step

NETWORKS, BATCHES = ("resnet-small", "convnext-mini"), (64, 128)
PRECISIONS: tuple[Precision, ...] = ("bfloat16", "float32")
ROUNDS, STEPS, WARM_UP = 3, 60, 5


def pictures(count: int = 10_000, size: int = 32) -> Dataset:
    """Noise in ten classes."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator).to(torch.uint8)
    images = Images(pixels, torch.arange(count) % 10)
    return Dataset(
        name="noise", classes=tuple("abcdefghij"), train=images, test=images.take(torch.arange(9)),
        image_size=size, mean=(0.5,) * 3, std=(0.3,) * 3, fingerprint="0" * 64, skipped=(),
        source="made by the benchmark",
    )  # fmt: skip


def run_of(dataset: Dataset, network: str, batch: int, precision: Precision) -> Run:
    """Long enough that no schedule ends."""
    settings = recipe("modern", epochs=100, batch_size=batch)
    return Run(
        design=design(network), recipe=settings, data=dataset.identity(), precision=precision
    )


def batches_of(
    state: State, run: Run, dataset: Dataset, device: str
) -> Iterator[tuple[Tensor, ...]]:
    """Epoch after epoch."""
    while True:
        yield from fed(dataset, run.recipe, state.generators, device=device)


def images_a_second(step: Callable[[], object], images: int, device: str, steps: int) -> float:
    """Of the best round."""
    found = []
    for _ in range(ROUNDS):
        waited_for(device)
        began = time.perf_counter()
        for _ in range(steps):
            step()
        waited_for(device)
        found.append(steps * images / (time.perf_counter() - began))
    return max(found)


def waited_for(device: str) -> None:
    """Until the device has done all it was given."""
    if device != "cpu":
        torch.cuda.synchronize(device)


def fed_step(step: Step, batches: Iterator[tuple[Tensor, ...]]) -> Callable[[], Tensor]:
    """A step on the next batch."""
    return lambda: step(*next(batches))


def measure(
    dataset: Dataset, network: str, batch: int, precision: Precision, device: str, steps: int
) -> dict[str, object]:
    """One row of the table."""
    run = run_of(dataset, network, batch, precision)
    row: dict[str, object] = {"network": network, "batch": batch, "precision": precision}
    with deterministic(device):
        for name in ("eager", "captured"):
            state = start(run, dataset, device)
            step = step_of(state, run, dataset, Settings(device, captured=name == "captured"))
            batches = batches_of(state, run, dataset, device)
            same = partial(step, *next(batches))
            for _ in range(WARM_UP):
                same()
            row[name] = images_a_second(same, batch, device, steps)
        for _ in islice(batches, 100):  # past the first chunks, which are small
            pass
        row["fed"] = images_a_second(fed_step(step, batches), batch, device, steps)
    return {**row, "draw_ms": draw_milliseconds(run, dataset)}


def draw_milliseconds(run: Run, dataset: Dataset, repeats: int = 50) -> float:
    """What a batch's random numbers cost."""
    chosen, generator = run.recipe, torch.Generator().manual_seed(0)
    augment = augmentation(chosen, dataset)
    mix = Mix(chosen.mixup, chosen.cutmix, chosen.label_smoothing, len(dataset.classes))
    began = time.perf_counter()
    for _ in range(repeats):
        augment.draw(chosen.batch_size, generator)
        mix.draw(chosen.batch_size, generator)
    return 1000 * (time.perf_counter() - began) / repeats


def table(device: str = "cuda", steps: int = STEPS) -> list[dict[str, object]]:
    """All rows; on a GPU within half a minute."""
    keep_freed_memory()
    dataset = pictures()
    dataset = replace(dataset, train=dataset.train.to(device))
    return [
        measure(dataset, network, batch, precision, device, steps)
        for network in NETWORKS
        for batch in BATCHES
        for precision in PRECISIONS
    ]


def shown(value: object) -> str:
    """A cell of the table."""
    if isinstance(value, float):
        return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
    return str(value)


def main() -> None:
    """Print the table and the JSON line."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    rows = table(device, STEPS if device != "cpu" else 2)
    print("".join(f"{name:>15}" for name in rows[0]))
    for row in rows:
        print("".join(f"{shown(value):>15}" for value in row.values()))
    on_gpu = device != "cpu"
    print(json.dumps({
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "torch": torch.__version__, "steps": STEPS, "rows": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
