"""`Run`: everything that determines a training run, and the stable key made of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nextify.designs.design import Design
from nextify.designs.fields import with_fields
from nextify.designs.recipe import Recipe
from nextify.errors import InputError

Precision = Literal["float32", "bfloat16"]

# Raised whenever the same fields would train to other bits (a change of the training code).
REVISION = 1


@dataclass(frozen=True, kw_only=True)
class Run:
    """A design, a recipe, a data set and a seed: what determines a training run.

    Attributes:
        data: what identifies the images: name, fingerprint, image size, number of classes and of
            training and test images (`Dataset.identity`).
        precision: of the forward and backward pass; parameters and optimiser are float32.
    """

    design: Design
    recipe: Recipe
    data: Mapping[str, Any]
    seed: int = 0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")

    def as_dict(self) -> dict[str, Any]:
        """The run as plain values, ready for JSON."""
        return {
            "revision": REVISION,
            "design": asdict(self.design),
            "recipe": asdict(self.recipe),
            "data": dict(self.data),
            "seed": self.seed,
            "precision": self.precision,
        }

    @property
    def key(self) -> str:
        """64 hexadecimal digits: the SHA-256 of the run as canonical JSON."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def run_from_dict(values: Mapping[str, Any]) -> Run:
    """The run that `Run.as_dict` described."""
    return Run(
        design=with_fields(Design(), values["design"]),
        recipe=with_fields(Recipe(), values["recipe"]),
        data=values["data"],
        seed=values["seed"],
        precision=values["precision"],
    )
