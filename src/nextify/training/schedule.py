"""The learning rate at every step, as a function and not as a state."""

import math

from nextify.designs import Recipe


def learning_rate_at(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of one optimiser step.

    Linear from 0 to the peak over `warmup_epochs`; then a half cosine to the final rate, reached
    a step after the last (arXiv 1608.03983, one cycle, as in ConvNeXt's code), or the peak divided
    by 10 for every `step_epochs` that have passed (arXiv 1512.03385).

    Args:
        step: 0 for the first. steps_per_epoch: optimiser steps in one pass over the images.
    """
    peak = recipe.peak_learning_rate
    total = recipe.epochs * steps_per_epoch
    warmup = int(recipe.warmup_epochs * steps_per_epoch)
    if step < warmup:
        # ConvNeXt's code: `warmup` points evenly from 0 to the peak, both included.
        return peak * step / max(warmup - 1, 1)
    if recipe.schedule == "step":
        return peak * 0.1 ** int(step / (recipe.step_epochs * steps_per_epoch))
    final = recipe.final_learning_rate * recipe.batch_size / recipe.reference_batch
    progress = (step - warmup) / (total - warmup)
    return final + 0.5 * (peak - final) * (1 + math.cos(math.pi * progress))
