"""`Run`: everything that determines a training run, and the stable key made of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from nextify.designs.design import Design
from nextify.designs.recipe import Recipe
from nextify.designs.transformers import AnyDesign, Swin, Vit
from nextify.errors import InputError

Precision = Literal["float32", "bfloat16"]

# The fields that designs and recipes had when runs were first recorded: always in a run's key. All
# that came and come later are left out where they hold their default, so that the runs from before
# keep their keys.
FIRST = frozenset(
    """depths widths stem stem_stride block spatial bottleneck ratio spatial_position kernel_size
    activation activations norms norm downsampling layer_scale response_norm kind patch_size depth
    width heads mlp_ratio window optimizer learning_rate reference_batch final_learning_rate
    momentum betas weight_decay decay_everything batch_size epochs schedule step_epochs
    warmup_epochs weight_init crop flip randaugment randaugment_probability mixup cutmix
    random_erasing label_smoothing stochastic_depth ema_decay gradient_clip
    head_init_scale""".split()  # noqa: SIM905
)

# Raised whenever the same fields would train to other bits (a change of the training code).
REVISION = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Initial:
    """The weights that a run starts from; `nextify.training.initial_weights` reads them.

    Attributes:
        source: where they are from, for people: not part of the run's key.
        fingerprint: the SHA-256, in hex, of their names, shapes and numbers, without the
            classifier where the run has a new one.
        mean, std: per channel in [0, 1], of the images as these weights know them: the run's
            images are normalised by them.
        head_is_new: whether the run draws its own classifier: not part of the key, the fingerprint
            tells it.
    """

    source: str
    fingerprint: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    head_is_new: bool = True


@dataclass(frozen=True, kw_only=True)
class Run:
    """A design, a recipe, a data set and a seed: what determines a training run.

    Attributes:
        data: what identifies the images: name, fingerprint, image size, number of classes and of
            training and test images (`Dataset.identity`).
        precision: of the forward and backward pass; parameters and optimiser are float32.
        initial: the weights that it starts from; None for random ones.
        copies: trained in a stack of so many networks, which rounds differently; see `stack`.
        processes: that carry it out together, which rounds differently, too.
    """

    design: AnyDesign
    recipe: Recipe
    data: Mapping[str, Any]
    seed: int = 0
    precision: Precision = "float32"
    initial: Initial | None = None
    copies: int = 1
    processes: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        if self.copies < 1 or (self.copies > 1 and self.initial is not None):
            raise InputError(
                f"copies is {self.copies}; it must be at least 1, and 1 where a run starts from "
                "trained weights"
            )
        require_weights(self.recipe, self.initial)
        require_stages(self.recipe, self.design)
        require_watched(self.recipe, self.data)

    def as_dict(self) -> dict[str, Any]:
        """The run as plain values, ready for JSON."""
        values = {
            "revision": REVISION,
            "design": told_fields(self.design),
            "recipe": told_fields(self.recipe),
            "data": dict(self.data),
            "seed": self.seed,
            "precision": self.precision,
        }
        if self.copies > 1:
            values["copies"] = self.copies
        if self.processes > 1:
            values["processes"] = self.processes
        return values if self.initial is None else {**values, "initial": asdict(self.initial)}

    @property
    def stack(self) -> tuple["Run", ...]:
        """The runs that it is trained at once with, itself among them: a block of `copies` seeds,
        the first of which is a multiple of `copies`. The block is trained whole wherever one of
        its runs is wanted, so that the bits of a run depend on its key alone.

        >>> [run.seed for run in replace(run, seed=5, copies=4).stack]  # doctest: +SKIP
        [4, 5, 6, 7]
        """
        first = self.seed - self.seed % self.copies
        return tuple(replace(self, seed=first + at) for at in range(self.copies))

    @property
    def key(self) -> str:
        """64 hexadecimal digits: the SHA-256 of the run as canonical JSON."""
        return key_of(self.as_dict())


def key_of(values: Mapping[str, Any]) -> str:
    """The key of the run that `Run.as_dict` described, by whatever version."""
    return hashlib.sha256(_canonical(_without_source(values)).encode()).hexdigest()


def _without_source(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same weights from another place make the same run: their fingerprint tells them."""
    if "initial" not in values:
        return values
    about = {"source", "head_is_new"}
    told = {name: value for name, value in values["initial"].items() if name not in about}
    return {**values, "initial": told}


def told_fields(of: AnyDesign | Recipe) -> dict[str, Any]:
    """The fields of a design or recipe that tell it from others; see `FIRST`."""
    return {
        each.name: getattr(of, each.name)
        for each in fields(of)
        if each.name in FIRST or getattr(of, each.name) != each.default
    }


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def what_ran(values: Mapping[str, Any]) -> str:
    """What `Run.as_dict` described, whatever revision of the training code carried it out, and by
    however many processes: equal texts are the same run.

    Fields of designs and recipes at their defaults are left out, and those that are not known any
    more stay: older and newer values compare. Images are the same whatever their folder is called.
    """
    told = _without_source(values)
    values = {n: value for n, value in told.items() if n not in ("revision", "processes")}
    design = values.get("design", {})
    kinds = {"design": {"vit": Vit, "swin": Swin}.get(design.get("kind"), Design), "recipe": Recipe}
    for name, kind in kinds.items():
        usual = {f.name: _listed(f.default) for f in fields(kind) if f.name != "kind"}
        given = {field: _listed(value) for field, value in values.get(name, {}).items()}
        values[name] = {f: v for f, v in given.items() if f not in usual or v != usual[f]}
    if "data" in values:
        values["data"] = telling(values["data"])
    return _canonical(values)


def content_key(values: Mapping[str, Any]) -> str:
    """As `Run.key`, of what `Run.as_dict` described, but for the name of its images and the number
    of processes: runs of one such key are the same run, carried out by the same code."""
    return hashlib.sha256(f"{values.get('revision')} {what_ran(values)}".encode()).hexdigest()


def same_images(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether two identities are of the same images: the fingerprint tells, and not the name, which
    is that of a folder and may change.

    >>> same_images({"name": "a", "fingerprint": "1"}, {"name": "b", "fingerprint": "1"})
    True
    """
    return telling(there) == telling(here)


def telling(data: Mapping[str, Any]) -> dict[str, Any]:
    """An identity without the name, where it has a fingerprint."""
    return {n: value for n, value in data.items() if n != "name" or "fingerprint" not in data}


def _listed(value: Any) -> Any:
    """Tuples as JSON gives them back."""
    return list(value) if isinstance(value, tuple) else value


def require_single(run: Run) -> None:
    """Check that a run is trained by itself.

    Raises:
        InputError: it is one of a stack.
    """
    if run.copies > 1:
        raise InputError(
            f"the run is one of {run.copies} that are trained in a stack: train all runs of its "
            "stack with train_stack, or the same run with copies=1"
        )


def require_weights(recipe: Recipe, weights: object) -> None:
    """Check that a recipe that starts from trained weights gets some.

    Raises:
        InputError: with the recipe's field that asks for them.
    """
    needing = {
        "weight_init": recipe.weight_init == "pretrained",
        "trainable": recipe.trainable != "all",
    }
    for name, needs in needing.items():
        if weights is None and needs:
            raise InputError(
                f"recipe field {name!r} is {getattr(recipe, name)!r}, which needs trained weights "
                "to start from; give them (--weights SOURCE; in `compare` in place of a name), or "
                "choose a recipe that trains from scratch, as modern or modern-small"
            )


def require_stages(recipe: Recipe, design: AnyDesign) -> None:
    """Check that a design has the stages that a recipe trains.

    Raises:
        InputError: it has fewer.
    """
    stages = 1 if isinstance(design, Vit) else len(design.depths)
    if (last := last_stages(recipe)) is not None and last > stages:
        raise InputError(
            f"recipe field 'trainable' is {recipe.trainable!r}, and the design has {stages} "
            f"stage{'s' * (stages > 1)}; give at most last-{stages}, or all"
        )


def last_stages(recipe: Recipe) -> int | None:
    """How many of the last stages are trained with the head; None: all of the network is."""
    match recipe.trainable:
        case "all":
            return None
        case "head":
            return 0
        case last:
            return int(last.removeprefix("last-"))


def require_watched(recipe: Recipe, data: Mapping[str, Any]) -> None:
    """Check that a run that may end early has validation images to watch.

    Raises:
        InputError: the test images are all that it could watch.
    """
    if recipe.patience and not data.get("validation"):
        raise InputError(
            f"recipe field 'patience' is {recipe.patience}, which watches validation images, and "
            "here are none beside the test images (`nextify train` holds some out, a study does "
            "not); leave patience out and set epochs"
        )


def require_batch(one: Recipe, images: int) -> None:
    """Check that a recipe's batches are not larger than the number of training images.

    Raises:
        InputError: with the largest batch size.
    """
    if one.batch_size > images:
        raise InputError(
            f"recipe field 'batch_size' is {one.batch_size}, but there are only {images} training "
            f"images; set batch_size={images} or less"
        )
