"""Are captured, stacked and eager training equally good? Equivalence within 0.2 points of accuracy.

A short recipe (convnext-mini, 10,000 images, two epochs, test accuracy on 10,000 images), the same
seeds in each way, in several processes at the same time. Two one-sided t-tests (TOST) of the mean
difference to eager, paired by seed: a pair has the same initial weights, order, augmentation and
test images. Seeds go on, in blocks of eight, while there is time, eager ones up to 32. The
difference is in points; `p` is the larger of both tests, below 0.05 where they are equivalent.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from statistics import mean, stdev
from typing import Any

import torch
from gpu_rows import Given, NotThere, Row, row
from gpu_training import run_of, settings_of, stacked
from scipy import stats

from nextify.data import Dataset, load
from nextify.training import train_with_network

NAME, EPOCHS = "convnext-mini", 2
MARGIN = 0.2  # points
WAYS = ("eager", "captured", "stacked")
BLOCK, LEAST = 8, 32  # seeds: of a stack; wanted, and trained eagerly, which is slow
PROCESSES = 10


def measure_equivalence(given: Given) -> Iterator[Row]:
    """Means, spreads, and the tests."""
    block, processes = (2, 1) if given.smoke else (BLOCK, PROCESSES)
    accuracies, missing = trained(given, block, processes)
    for way in WAYS:
        if found := list(accuracies[way].values()):
            spread = stdev(found) if len(found) > 1 else 0.0
            yield row(f"{NAME}, {EPOCHS} epochs, {way}", "%", [100 * value for value in found],
                      about=f"mean {100 * mean(found):.3f}, sd {100 * spread:.3f}")  # fmt: skip
    for way, other in (("captured", "eager"), ("stacked", "eager"), ("stacked", "captured")):
        seeds = accuracies[other].keys() & accuracies[way].keys()
        pairs = [100 * (accuracies[way][at] - accuracies[other][at]) for at in sorted(seeds)]
        if len(pairs) > 1:
            yield from tested(f"{way} against {other}", pairs)
    if missing:
        raise NotThere("; ".join(sorted(missing)))


def tested(name: str, pairs: list[float]) -> Iterator[Row]:
    """The mean difference, with its interval, and the p value of non-equivalence."""
    n, middle, spread = len(pairs), mean(pairs), stdev(pairs)
    yield row(f"{name}: seeds", "seeds", n, at_least=LEAST)
    about = f"n {n}, sd {spread:.3f}, bit-equal accuracies {sum(not d for d in pairs)}"
    if spread == 0.0:
        low, high, p = middle, middle, float(abs(middle) >= MARGIN)
    else:
        error = spread / n**0.5
        half = stats.t.ppf(0.95, n - 1) * error
        low, high = middle - half, middle + half
        p = float(stats.t.sf((MARGIN - abs(middle)) / error, n - 1))
    yield row(f"{name}: difference", "points", middle,
              about=f"90 % interval {low:+.3f} to {high:+.3f}; {about}")  # fmt: skip
    yield row(f"{name}: TOST within {MARGIN} points", "p", p, at_most=0.05)


def trained(
    given: Given, block: int, processes: int
) -> tuple[dict[str, dict[int, float]], set[str]]:
    """Accuracies by way and seed; what of it is not there."""
    accuracies: dict[str, dict[int, float]] = {way: {} for way in WAYS}
    missing: set[str] = set()
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=begin, initargs=(given,)) as pool:
        jobs: dict[Future[list[float]], tuple[str, range]] = {}
        for first in range(0, block if given.smoke else 32 * block, block):
            seeds = range(first, first + block)
            # The longest one first. A stack is one job; single runs are one each.
            jobs[pool.submit(work, "stacked", seeds)] = ("stacked", seeds)
            for seed in seeds:
                for way in ("eager", "captured")[seed >= LEAST :]:
                    of = range(seed, seed + 1)
                    jobs[pool.submit(work, way, of)] = (way, of)
        try:
            for job in as_completed(
                jobs, timeout=max(1.0, given.left) if not given.smoke else None
            ):
                way, seeds = jobs[job]
                try:
                    accuracies[way] |= dict(zip(seeds, job.result(), strict=True))
                except NotThere as error:
                    missing.add(str(error))
        except TimeoutError:
            pool.shutdown(wait=True, cancel_futures=True)
    return accuracies, missing


_IMAGES: list[Any] = []


def begin(given: Given) -> None:
    """A process's start: the images."""
    torch.set_num_threads(1)
    _IMAGES.extend((given, load(**given.images)))


def work(way: str, seeds: range) -> list[float]:
    """Test accuracies of seeds, trained in one way."""
    given: Given = _IMAGES[0]
    images: Dataset = _IMAGES[1]
    runs = [run_of(given, images, NAME, seed, epochs=1 if given.smoke else EPOCHS)
            for seed in seeds]  # fmt: skip
    if way == "stacked":
        records = stacked(given, runs, images)
    else:
        settings = settings_of(given, way)
        records = [train_with_network(one, images, settings)[0] for one in runs]
    return [one.result.accuracy if one.result else float("nan") for one in records]
