"""Would it fit the memory? Asked before, because the system's answer is to kill."""

import torch

from nextify.costs import cost
from nextify.costs.batch import require_values
from nextify.designs import AnyDesign
from nextify.errors import InputError
from nextify.machine import memory
from nextify.measuring.conditions import Conditions, Task
from nextify.words import bytes_in_words

_FLOAT32 = 4  # bytes; autocast keeps its narrower copies beside them
_COPIES = 4  # of the weights in training: with gradients and AdamW's two moments


def require_room(
    design: AnyDesign,
    tasks: tuple[Task, ...],
    conditions: Conditions,
    networks: int = 1,
    others: int = 0,
) -> None:
    """Check that so many networks of a design, side by side, fit the device's memory.

    What is counted is what must be there: weights, and activations of one network at a time.

    Args:
        others: parameters of networks of other designs beside them.

    Raises:
        InputError: with what it would take, and a batch size that would fit; if a batch is too
            small for batch norm; and as `cost` does.
    """
    counted = cost(design, conditions.image_size, conditions.classes)
    if "training" in tasks:
        require_values(design, conditions.batch_size, conditions.image_size)
    device = torch.device(conditions.device)
    is_gpu = device.type == "cuda"
    there = torch.cuda.get_device_properties(device).total_memory if is_gpu else memory()
    for task in tasks:
        training = task == "training"
        weights = networks * counted.params + others
        fixed = weights * _FLOAT32 * (_COPIES if training else 1)
        image = counted.training_bytes if training else counted.inference_bytes
        batch = conditions.batch_of(task)
        if fixed + batch * image > there:
            raise InputError(
                f"{task} with a batch of {batch:,} would take at least "
                f"{bytes_in_words(fixed + batch * image)} of memory, and there are "
                f"{bytes_in_words(there)}; {_remedy(there - fixed, image, batch, networks)}"
            )


def _remedy(left: int, image: int, batch: int, networks: int) -> str:
    fitting = left // image
    if batch > 1 and fitting >= 1:
        return f"use a batch of {fitting} or less"
    if networks > 1:
        return "measure it beside none, leave training out, or choose a narrower design"
    return "choose a narrower design or smaller images"
