"""What was done to the images that weights were trained on: it belongs to the weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from nextify.designs.fields import fits, hints
from nextify.errors import InputError, unknown
from nextify.network.weights.namings import NamingName
from nextify.requests import stored_size

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SEEN = ("mean", "std", "image_size")  # what a network's card states beside its design
METADATA_KEY = "nextify.preprocessing"
_INTERPOLATIONS = tuple(one.name.lower() for one in Image.Resampling)
CropMode = Literal["center", "squash", "border"]
_LARGEST_IMAGE = 1 << 14  # pixels a side: what claims more was not made by training
_LEAST_SPREAD = 1e-4  # of values in [0, 1]: a tenth of the smallest step of a 12-bit image's


@dataclass(frozen=True, kw_only=True, slots=True)
class Preprocessing:
    """How an image becomes the network's input.

    The image is resized with `interpolation` until its shorter side is image_size / crop, its
    middle is cut out, and each channel becomes (value - mean) / std, with values in [0, 1].

    Attributes:
        image_size: side of the input in pixels.
        crop: the share of the resized side that is kept.
        crop_mode: center, as above; squash: both sides are resized to image_size / crop; border:
            the longer side is, and what then lacks of the other is filled with the mean.
        is_stated: whether the weights came with it; otherwise it is what their naming's
            published weights have in common.
    """

    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    image_size: int = 224
    interpolation: str = "bicubic"
    crop: float = 0.875
    crop_mode: CropMode = "center"
    is_stated: bool = False

    def __post_init__(self) -> None:
        for name, hint in hints(Preprocessing).items():
            value = getattr(self, name)
            if not fits(value, hint):
                raise InputError(f"preprocessing field {name!r} is {value!r}")
        if self.interpolation not in _INTERPOLATIONS:
            raise unknown("interpolation", self.interpolation, _INTERPOLATIONS)
        if not len(self.mean) == len(self.std) == 3 or min(self.std) < _LEAST_SPREAD:
            raise InputError(f"preprocessing has mean {self.mean} and std {self.std}")
        if not (1 <= self.image_size <= _LARGEST_IMAGE and 0 < self.crop <= 1):
            raise InputError(
                f"preprocessing has images of {self.image_size} pixels and a crop of {self.crop}"
            )


def usual(naming: NamingName, architecture: str) -> Preprocessing:
    """What the published ImageNet weights in a naming were evaluated with."""
    is_resnet = naming != "transformers" and architecture.startswith("ResNet")
    is_bilinear = naming == "torchvision" or is_resnet
    return Preprocessing(interpolation="bilinear" if is_bilinear else "bicubic")


def from_about(about: Mapping[str, Any]) -> Preprocessing | None:
    """What `convert` wrote on a network's card (`Card.about`); None for one trained by nextify.

    Raises:
        InputError: it cannot be read.
    """
    if "preprocessing" not in about:
        return None
    try:
        return preprocessing_of(about["preprocessing"])
    except (TypeError, InputError) as error:
        raise InputError(f"the card's preprocessing cannot be read ({error}); convert the weights "
                         "again") from error  # fmt: skip


def from_metadata(metadata: Mapping[str, str]) -> Preprocessing | None:
    """What a safetensors file says: one of ours, or one that `save_weights` wrote.

    Raises:
        InputError: it says something that cannot be read.
    """
    try:
        if METADATA_KEY in metadata:
            return preprocessing_of(json.loads(metadata[METADATA_KEY]))
        if "card" in metadata:
            card = json.loads(metadata["card"])
            seen = {name: card[name] for name in SEEN}
            own = {"crop": seen["image_size"] / stored_size(seen["image_size"])}
            return preprocessing_of({**card.get("about", {}).get("preprocessing", own), **seen})
    except (ArithmeticError, LookupError, AttributeError, RecursionError, TypeError,
            ValueError) as error:  # fmt: skip
        raise InputError(f"its preprocessing cannot be read ({error})") from error
    return None


def preprocessing_of(values: Mapping[str, Any]) -> Preprocessing:
    """What its fields state, in whatever else there is beside them.

    Raises:
        InputError: values that cannot be meant.
    """
    known = {name: values[name] for name in hints(Preprocessing) if name in values}
    tidy: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    return Preprocessing(**{**tidy, "is_stated": True})
