"""How many networks fill a GPU: side by side in processes, and in one stack."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial

from nextify.machine import cores
from nextify.records import Cell, Plan

PASSES = 3  # of a training step, each of a network's MACs: forward, and two backward
# Multiply-accumulates of a training step that keep a GPU busy by themselves, about a millisecond
# of a large one. ConvNeXt-T at 224 pixels in batches of 128 makes nine times as many, the small
# path at 32 pixels in batches of 64 a hundredth.
FULL = 2e11
MOST_COPIES = 8
MOST_WORKERS = 4  # of a GPU
_SPARE = 2  # of memory: what is counted is the least that training takes


def suited_copies(cells: Iterable[Cell], seeds: Collection[int], most: int) -> int:
    """How many runs of a cell are trained in one stack: at most `most`, as many as there are seeds,
    and as fill a GPU with the largest cell; 1 where nothing can be stacked.

    Stacks are blocks of seeds (`Run.stack`): of what is possible, it is what makes the fewest
    blocks and, of these, the fewest networks that nobody asked for.
    """
    stacked = [cell for cell in cells if cell.stacks]
    most = min(most, len(seeds), _times(stacked))
    return min(range(1, max(most, 1) + 1), key=partial(_cost, seeds))


def _cost(seeds: Iterable[int], copies: int) -> tuple[int, int]:
    return len({seed // copies for seed in seeds}), copies


def _times(cells: Iterable[Cell], copies: int = 1) -> int:
    """How many training steps of the largest of these cells fill a GPU; 0 of none."""
    work = max((PASSES * cell.macs * cell.recipe.batch_size for cell in cells), default=None)
    return 0 if work is None else int(FULL / (copies * work))


def suited_workers(plan: Plan, devices: Sequence[str], memory: int | None = None) -> int:
    """How many runs, or stacks, are trained side by side: one a core or, on GPUs, as many on each
    as its share of the cores, the largest network and the memory allow: one to four.

    Args:
        devices: GPUs; none: the CPU. memory: of the smallest one, in bytes; None: not known.
    """
    if not devices:
        return cores()
    fitting = _times(plan.cells, plan.copies)
    if memory is not None:
        fitting = min(fitting, int(memory / (_SPARE * _bytes(plan))))
    each = min(MOST_WORKERS, cores() // len(devices), fitting)
    return max(each, 1) * len(devices)


def _bytes(plan: Plan) -> int:
    """That the largest cell takes on a GPU, at the least, with the images beside it."""
    from nextify.training.memory import needed  # it imports torch

    images = int(plan.data["train"]) + int(plan.data["test"])
    resident = images * 3 * int(plan.data["image_size"]) ** 2
    runs = [(plan.run(cell, plan.seeds[0]), cell.recipe.batch_size) for cell in plan.cells]
    taken = [(needed(run), run.copies, batch) for run, batch in runs]
    return resident + max(n * (fixed + batch * image) for (fixed, image), n, batch in taken)
