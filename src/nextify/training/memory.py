"""Would training fit the memory? Asked before, because the system's answer is to kill. And where
images are kept for it."""

import torch

from nextify.costs import cost, totals
from nextify.data import Dataset, Images
from nextify.designs import Recipe, Run
from nextify.designs.run import last_stages
from nextify.errors import InputError
from nextify.machine import memory
from nextify.machine.ranks import rank_here
from nextify.records import Plan
from nextify.training.machine import default_device
from nextify.words import gibibytes

_SMALLER = "choose a narrower design or smaller images"
_OF_A_CARD = 3  # images may take one part in so many of what is free
_BYTES = 4  # of a float32; autocast keeps its narrower copies beside them


def require_memory(run: Run) -> None:
    """Check that a run on the processor fits the memory that there is; so do several processes of
    it on this machine, each with all weights and its part of a batch.

    Raises:
        InputError: with what it would take, and a batch size that would fit.
    """
    there = memory()
    here = min(run.processes, rank_here().local_size)
    fixed, image = needed(run)
    batch = run.recipe.part_size
    fixed, image = here * fixed, image * here // run.processes
    if fixed + batch * image <= there:
        return
    fitting = (there - fixed) // image
    remedy = _fitting(run.recipe, fitting) if fitting > 0 else _SMALLER
    raise InputError(
        f"training with batch_size={run.recipe.batch_size} would take "
        f"{gibibytes(fixed + batch * image)} of memory, and this machine has "
        f"{gibibytes(there)}; {remedy}"
    )


def _fitting(recipe: Recipe, images: int) -> str:
    """How a batch goes through the network by so many images at most."""
    parts = (n for n in range(2, recipe.batch_size + 1) if recipe.batch_size % n == 0)
    accumulate = next(n for n in parts if recipe.batch_size // n <= images)
    return f"set batch_size={images * recipe.accumulate} or less, or accumulate={accumulate}"


def require_memory_for(plan: Plan) -> None:
    """Check that every run of a plan, by itself, fits the memory; on a GPU nothing is checked.

    Raises:
        InputError: with the cell that does not fit.
    """
    if default_device() != "cpu":
        return
    for cell in plan.cells:
        try:
            require_memory(plan.run(cell, plan.seeds[0]))
        except InputError as error:
            raise InputError(f"{cell.name}: {error}") from error


def needed(run: Run) -> tuple[int, int]:
    """Bytes, at the least: of weights with all that is as large, and of an image's activations."""
    of = (run.design, int(run.data["image_size"]), int(run.data["classes"]))
    recipe, counted = run.recipe, totals(*of)
    networks = 1 + (recipe.ema_decay > 0 or recipe.average_epochs > 0)
    learned = 2 + (recipe.optimizer == "adamw")  # copies: gradient, momentum
    if (last := last_stages(recipe)) is None:
        return (networks + learned) * counted.params * _BYTES, counted.training_bytes
    whole = cost(*of)  # what is frozen keeps nothing for a backward pass
    stages = [each for each in whole.sections if each.name.startswith("stages.")]
    trained = stages[len(stages) - last :]
    weights = networks * counted.params + learned * sum(each.params for each in trained)
    kept = sum(each.training_bytes for each in trained)
    return weights * _BYTES, whole.inference_bytes + kept


def held(dataset: Dataset, device: torch.device | str) -> Dataset:
    """The data set with its images in memory moved to a device. Those that would leave a GPU too
    little for training stay where they are, and come to it batch by batch: a run gives the same."""
    parts = (dataset.train, dataset.test, dataset.validation)
    bytes_ = sum(len(part) * part.rows[:1].nbytes for part in parts if isinstance(part, Images))
    if torch.device(device).type == "cuda" and bytes_ > 0:
        free, _ = torch.cuda.mem_get_info(device)
        if bytes_ > free // _OF_A_CARD:
            return dataset
    return dataset.to(device)
