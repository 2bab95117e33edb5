"""Would training fit the memory? Asked before, because the system's answer is to kill."""

from nextify.costs import cost, totals
from nextify.designs import Run
from nextify.errors import InputError
from nextify.machine import memory
from nextify.machine.ranks import rank_here
from nextify.records import Plan
from nextify.training.machine import default_device
from nextify.words import gibibytes

_SMALLER = "choose a narrower design or smaller images"
_BYTES = 4  # of a float32; autocast keeps its narrower copies beside them


def require_memory(run: Run) -> None:
    """Check that a run on the processor fits the memory that there is; so do several processes of
    it on this machine, each with all weights and its part of a batch.

    Raises:
        InputError: with what it would take, and a batch size that would fit.
    """
    there = memory()
    here, batch = min(run.processes, rank_here().local_size), run.recipe.batch_size
    fixed, image = needed(run)
    fixed, image = here * fixed, image * here // run.processes
    if fixed + batch * image <= there:
        return
    fitting = (there - fixed) // image
    remedy = f"set batch_size={fitting} or less" if fitting > 0 else _SMALLER
    raise InputError(
        f"training with batch_size={batch} would take {gibibytes(fixed + batch * image)} of "
        f"memory, and this machine has {gibibytes(there)}; {remedy}"
    )


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
    if recipe.trainable == "head":  # the body keeps nothing for a backward pass
        return (1 + (recipe.ema_decay > 0)) * counted.params * _BYTES, cost(*of).inference_bytes
    copies = 3 + (recipe.optimizer == "adamw") + (recipe.ema_decay > 0)  # with gradient, momentum
    return copies * counted.params * _BYTES, counted.training_bytes
