"""How good is a ConvNeXt-family network on CIFAR-10 (JPEG) after 10 s of training on one GPU?

All 50,000 training images, 32 pixels, tested on the 10,000 test images without flips or crops of
them. Each candidate is trained for two epochs first, which warms up and tells the seconds of an
epoch; then for as many epochs as 10 s hold. "Training" is all epochs, each with its evaluation of
1,000 test images for the curve, without the capture of the step (by how much the first epoch is
longer); the capture and the whole, with it and the final test, are told beside. One seed for each
candidate; then the best one again with other seeds, whose accuracies are the result (its first
seed, by which it was chosen, is no part of it).
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from gpu_rows import Given, Row, row, timed
from gpu_training import epochs_of, settings_of

import nextify as nx
from nextify.data import Dataset, load
from nextify.designs import Recipe, Run, recipe

SECONDS, GOAL = 10.0, 94.0
SHARE = 0.97  # of the seconds that are planned to be used
MORE_SEEDS = (1, 2, 3)

_SHAPE: dict[str, Any] = {
    "stem_stride": 2, "norm": "batch", "layer_scale": None, "kernel_size": 5,
}  # fmt: skip
_RECIPE: dict[str, Any] = {
    "batch_size": 512, "reference_batch": 512, "learning_rate": 4e-3, "weight_decay": 0.05,
    "crop": "padded", "randaugment": 0.0, "mixup": 0.0, "cutmix": 0.0, "random_erasing": 0.0,
    "label_smoothing": 0.1, "stochastic_depth": 0.0, "ema_decay": 0.99, "gradient_clip": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A design and a recipe: changes to convnext-tiny and to "modern"."""

    name: str
    shape: dict[str, Any]
    recipe: dict[str, Any]

    def run(self, images: Dataset, epochs: int, seed: int, precision: Any) -> Run:
        """With a warm-up of a fifth of the epochs, at most three."""
        how: Recipe = recipe("modern", **{**_RECIPE, **self.recipe, "epochs": epochs,
                             "warmup_epochs": min(3.0, epochs / 5)})  # fmt: skip
        made = nx.design("convnext-tiny", **{**_SHAPE, **self.shape})
        return Run(design=made, recipe=how, data=images.identity(), seed=seed, precision=precision)


CANDIDATES = (
    # The block of ConvNeXt with batch norm, which learns faster in few epochs, and no layer scale,
    # which holds the blocks back at first.
    Candidate("stride 2, batch norm", {"depths": (2, 4, 2), "widths": (128, 256, 512)}, {}),
    # Maps of 32 x 32 see more; narrow there, since they cost most.
    Candidate("stride 1, batch norm", {"stem_stride": 1, "depths": (1, 2, 3, 1), "kernel_size": 3,
                                       "widths": (64, 128, 256, 512)}, {}),
    # Dense 3 x 3 convolutions in ConvNeXt's block: more arithmetic, which the card has.
    Candidate("stride 2, batch norm, dense 3 x 3", {"depths": (1, 2, 1), "spatial": "dense",
                                                    "kernel_size": 3, "widths": (128, 256, 512)},
              {"learning_rate": 3e-3}),
)  # fmt: skip
TOY = Candidate("toy", {"depths": (1, 1), "widths": (8, 16)}, {"batch_size": 64})


def measure_cifar(given: Given) -> Iterator[Row]:
    """Accuracies and seconds."""
    images = load(**given.images) if given.smoke else load(str(given.folder), image_size=32)
    found: dict[str, tuple[float, int]] = {}
    for at in (TOY,) if given.smoke else CANDIDATES:
        if given.left < 2.5 * SECONDS and found:
            break
        per_epoch, first = paced(given, at, images)
        epochs = 1 if given.smoke else max(3, int(SHARE * SECONDS / per_epoch))
        yield row(f"{at.name}: an epoch", "s", per_epoch, about=f"the first one {first:.2f} s more")
        accuracy, _ = yield from trained(given, at, images, epochs, 0)
        found[at.name] = accuracy, epochs
    if given.smoke:
        return
    best = max(CANDIDATES, key=lambda each: found.get(each.name, (0.0, 0)))
    accuracies, seconds = [], []
    for seed in MORE_SEEDS:
        if given.left < 1.2 * SECONDS:
            break
        accuracy, training = yield from trained(given, best, images, found[best.name][1], seed)
        accuracies.append(accuracy)
        seconds.append(training)
    if accuracies:
        about = f"seeds {MORE_SEEDS[: len(accuracies)]} of the best of {len(found)} candidates"
        yield row(f"{best.name}: test accuracy", "%", accuracies, at_least=GOAL, about=about)
        yield row(f"{best.name}: training", "s", seconds, at_most=SECONDS)


def paced(given: Given, at: Candidate, images: Dataset) -> tuple[float, float]:
    """Seconds of an epoch at full speed, and by how much the first one is longer."""
    run = at.run(images, 2 if given.smoke else 3, 0, precision_on(given))
    seconds, _ = epochs_of(run, images, how(given))
    return min(seconds[1:]), seconds[0] - min(seconds[1:])


def trained(
    given: Given, at: Candidate, images: Dataset, epochs: int, seed: int
) -> Generator[Row, None, tuple[float, float]]:
    """A run; returns its accuracy in per cent and its seconds of training."""
    run = at.run(images, epochs, seed, precision_on(given))
    with timed() as whole:
        seconds, record = epochs_of(run, images, how(given))
    surplus = max(0.0, seconds[0] - min(seconds[1:], default=seconds[0]))
    training = sum(seconds) - surplus
    accuracy = 100 * record.result.accuracy if record.result else 0.0
    about = (
        f"{epochs} epochs; seconds: training {training:.2f}, capture {surplus:.2f}, from "
        f"start to end {whole[0]:.2f}"
    )
    yield row(f"{at.name}: seed {seed}", "%", accuracy, about=about)
    return accuracy, training


def how(given: Given) -> Any:
    """Captured; eager in a rehearsal without a GPU."""
    return settings_of(given, "eager" if given.smoke else "captured")


def precision_on(given: Given) -> Any:
    """bfloat16 on a GPU."""
    return "bfloat16" if given.device == "cuda" else "float32"
