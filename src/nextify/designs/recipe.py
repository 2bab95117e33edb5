"""`Recipe`: how a network is trained, field for field as in the papers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nextify.designs.fields import check, with_fields
from nextify.errors import InputError, unknown
from nextify.words import LARGEST, native


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to train. The defaults are the paper's recipe for ConvNeXt-T on ImageNet-1K
    (arXiv 2201.03545, Table 5 and appendix A.1).

    Layer scale, a row of that table, is a field of `Design`: it is part of the network.

    Fields:
        optimizer: SGD with Nesterov-free momentum, or AdamW.
        learning_rate: the peak, at a batch of `reference_batch` images. It scales linearly with
            the batch size (`peak_learning_rate`).
        weight_decay, decay_everything: L2 decay; on every parameter, or only on the weights of
            convolutions and linear layers (not on norms, biases and layer scale).
        momentum: of SGD. betas: of AdamW.
        batch_size: images in a step. epochs: passes over the training images.
        schedule: after the warmup, divide by 10 every `step_epochs`, or a half cosine down to
            `final_learning_rate` (the official code's 1e-6, at `reference_batch`).
        warmup_epochs: linear from 0.
        weight_init: He et al. normal (fan out), or truncated normal with sd 0.02; biases 0.
            Pretrained: the run has to start from trained weights (`Run.initial`), and a classifier
            that these do not have is drawn from the truncated normal.
        crop: random resized crop, zero padding and random crop, or none.
        crop_area: the least share of an image that a resized crop shows; 0.08 in the papers.
        flip: horizontal, for half of the images.
        randaugment, randaugment_probability: magnitude (0: off; two operations an image, with
            magnitude noise of 0.5) and the probability of each operation.
        mixup, cutmix: the alpha of the Beta distribution; 0 is off. With both, half of the
            images get one and half the other.
        random_erasing: probability. label_smoothing: share given to all classes.
        stochastic_depth: drop probability of the last block; earlier blocks linearly less.
        ema_decay: of the exponential moving average of the weights, which is what is evaluated;
            0 is off. A run too short for it averages over its last tenth.
        gradient_clip: largest norm of the whole gradient; 0 is off.
        head_init_scale: factor on the classifier's initial weights (not on those of a classifier
            that was trained before).
        layer_decay: each group of layers learns so many times as fast as the group after it; the
            head at the full rate. 1 is off. See `nextify.training.layer_groups`.
        trainable: everything, the head alone on a frozen body, or the head and the last 1 to 4
            stages. What is frozen keeps its batch-norm statistics, and none of its blocks is
            dropped.
        balance: for unequal classes. `"loss"`: an image's loss is weighted by
            images / (classes * images of its class), on average over the training images 1; a
            batch's loss is the mean over its images. `"sampling"`: every epoch shows as many images
            of each class, as many in all as there are.
        accumulate: a batch goes through the network in so many equal parts, one after the other,
            whose gradients are summed: less memory, the same mean over the whole batch. Batch norm
            sees each part by itself.
        patience: the run ends when so many epochs in a row were not better on the validation
            images than the best before them; 0 is off. The learning rate follows the schedule of
            all epochs.
        average_epochs: the mean of the weights after each of the last so many epochs is what is
            evaluated (stochastic weight averaging, arXiv 1803.05407), with batch-norm statistics of
            its own; 0 is off. In place of `ema_decay`.
    """

    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: float = 4e-3
    reference_batch: int = 4096
    final_learning_rate: float = 1e-6
    momentum: float = 0.9
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.05
    decay_everything: bool = False
    batch_size: int = 4096
    epochs: int = 300
    schedule: Literal["cosine", "step"] = "cosine"
    step_epochs: float = 30.0
    warmup_epochs: float = 20.0
    weight_init: Literal["he_normal", "trunc_normal", "pretrained"] = "trunc_normal"
    crop: Literal["resized", "padded", "none"] = "resized"
    crop_area: float = 0.08
    flip: bool = True
    randaugment: float = 9.0
    randaugment_probability: float = 0.5
    mixup: float = 0.8
    cutmix: float = 1.0
    random_erasing: float = 0.25
    label_smoothing: float = 0.1
    stochastic_depth: float = 0.1
    ema_decay: float = 0.9999
    gradient_clip: float = 0.0
    head_init_scale: float = 1.0
    layer_decay: float = 1.0
    trainable: Literal["all", "head", "last-1", "last-2", "last-3", "last-4"] = "all"
    balance: Literal["none", "loss", "sampling"] = "none"
    accumulate: int = 1
    patience: int = 0
    average_epochs: int = 0

    def __post_init__(self) -> None:
        check(
            self,
            positive=("learning_rate", "reference_batch", "batch_size", "epochs", "step_epochs",
                      "accumulate"),
            not_negative=(
                "final_learning_rate", "momentum", "weight_decay", "warmup_epochs", "randaugment",
                "mixup", "cutmix", "gradient_clip", "head_init_scale", "patience", "average_epochs",
            ),
        )  # fmt: skip
        for name in ("randaugment_probability", "random_erasing", "label_smoothing",
                     "stochastic_depth", "ema_decay", "momentum"):  # fmt: skip
            if not 0 <= getattr(self, name) <= 1:
                value = getattr(self, name)
                raise InputError(f"recipe field {name!r} is {value!r}; it must be from 0 to 1")
        if self.stochastic_depth == 1:
            raise InputError("recipe field 'stochastic_depth' is 1, which drops every branch; it "
                             "must be below 1")  # fmt: skip
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"recipe field 'betas' is {self.betas!r}; give two numbers in [0, 1)")
        for name in ("layer_decay", "crop_area"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(
                    f"recipe field {name!r} is {getattr(self, name)!r}; it must be above 0 and at "
                    "most 1 (1 is off)"
                )
        if self.randaugment > 10:
            raise InputError(f"recipe field 'randaugment' is {self.randaugment}; at most 10")
        if self.warmup_epochs >= self.epochs:
            raise InputError(
                f"recipe field 'warmup_epochs' is {self.warmup_epochs} of {self.epochs} epochs; "
                "it must be less than 'epochs'"
            )
        _require_together(self)

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate after the warmup, scaled linearly to the batch size."""
        return self.learning_rate * self.batch_size / self.reference_batch

    @property
    def part_size(self) -> int:
        """Images that go through the network at once."""
        return self.batch_size // self.accumulate

    @property
    def stacks(self) -> bool:
        """Whether runs of it can be trained in a stack: each to its last epoch, with no average but
        that of every step."""
        return not (self.patience or self.average_epochs)

    def changed(self, changes: Mapping[str, Any]) -> "Recipe":
        """A copy with some fields changed. Another number of epochs scales the lengths of the
        warmup and of the schedule's steps with it, unless they are given too.

        >>> Recipe().changed({"epochs": 30}).warmup_epochs
        2.0
        """
        epochs = native(changes.get("epochs"))
        if type(epochs) is not int or not 0 < epochs <= LARGEST:
            return with_fields(self, changes)  # which refuses what is no number of epochs
        scale = epochs / self.epochs
        lengths = {
            "warmup_epochs": self.warmup_epochs * scale,
            "step_epochs": self.step_epochs * scale,
        }
        return with_fields(self, {**lengths, **changes})


def _require_together(of: Recipe) -> None:
    """Check fields that make sense only together, or not together."""
    if of.batch_size % of.accumulate:
        raise InputError(
            f"recipe field 'accumulate' is {of.accumulate}, which does not divide "
            f"batch_size={of.batch_size} into equal parts; give one that does"
        )
    if of.balance == "loss" and of.label_smoothing == 1:
        raise InputError(
            "recipe field 'balance' is 'loss' and 'label_smoothing' 1, which leaves nothing of a "
            "label to weight; give less label_smoothing, or balance=sampling"
        )
    if of.average_epochs > of.epochs:
        raise InputError(
            f"recipe field 'average_epochs' is {of.average_epochs} of {of.epochs} epochs; give at "
            "most 'epochs'"
        )
    if of.average_epochs and of.ema_decay:
        raise InputError(
            f"recipe field 'average_epochs' is {of.average_epochs} and 'ema_decay' {of.ema_decay}, "
            "and one average can be judged; set ema_decay=0, or leave average_epochs out"
        )
    if of.average_epochs and of.patience:
        raise InputError(
            f"recipe field 'average_epochs' is {of.average_epochs} and 'patience' {of.patience}: "
            "which epochs are the last is not known where a run may end early; give one of both"
        )


MODERN = Recipe()
_PLAIN = {"randaugment": 0.0, "mixup": 0.0, "cutmix": 0.0, "random_erasing": 0.0}

# arXiv 1512.03385, section 3.4 and the column "original ResNet" of facts/recipes.csv.
CLASSIC = Recipe(
    optimizer="sgd",
    learning_rate=0.1,
    reference_batch=256,
    final_learning_rate=0.0,
    weight_decay=1e-4,
    decay_everything=True,
    batch_size=256,
    epochs=90,
    schedule="step",
    warmup_epochs=0.0,
    weight_init="he_normal",
    label_smoothing=0.0,
    stochastic_depth=0.0,
    ema_decay=0.0,
).changed(_PLAIN)

# arXiv 2201.03545, Table 5, the columns of fine-tuning: from ImageNet-22K to 1K, and within 1K.
# Stochastic depth is that of each column's smallest network (T: 0.0; B: 0.8).
FINETUNE = Recipe(
    weight_init="pretrained",
    learning_rate=5e-5,
    reference_batch=512,
    batch_size=512,
    weight_decay=1e-8,
    epochs=30,
    warmup_epochs=0.0,
    mixup=0.0,
    cutmix=0.0,
    stochastic_depth=0.0,
    ema_decay=0.0,
    head_init_scale=0.001,
    layer_decay=0.8,
)

# For runs of seconds on ten thousand small images: see docs/small-path.md for what was tried.
_SMALL = {"batch_size": 64, "epochs": 6, "crop": "none"}
_MODERN_SMALL = {**_SMALL, "learning_rate": 8e-3, "reference_batch": 64, **_PLAIN}

# For small networks and a few hundred images: see docs/finetuning.md for what was tried.
_FINETUNE_SMALL = {
    "learning_rate": 8e-3,
    "layer_decay": 0.6,
    "reference_batch": 20,
    "batch_size": 20,
    "epochs": 20,
    "crop": "padded",
    **_PLAIN,
}

# The head alone, at the rate that suits it: docs/finetuning.md has what was tried.
_FROZEN_SMALL = {"trainable": "head", "learning_rate": 3.2e-2, "layer_decay": 1.0}

RECIPES: dict[str, Recipe] = {
    "classic": CLASSIC,
    "modern": MODERN,
    "classic-small": CLASSIC.changed(_SMALL),
    "modern-small": MODERN.changed(_MODERN_SMALL),
    "finetune": FINETUNE,
    "finetune-1k": FINETUNE.changed({"layer_decay": 0.7, "stochastic_depth": 0.8}),
    "finetune-small": FINETUNE.changed(_FINETUNE_SMALL),
    "frozen-small": FINETUNE.changed({**_FINETUNE_SMALL, **_FROZEN_SMALL}),
}


def recipe(name: str, **fields: Any) -> Recipe:
    """A recipe by name, with any of its fields overridden (see `Recipe.changed`).

    >>> recipe("modern", epochs=30).warmup_epochs
    2.0
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name].changed(fields)
