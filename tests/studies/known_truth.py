"""Runs whose expected accuracy is known: what `choose` is tested against."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from nextify.designs import Factor, Run, path
from nextify.experiments.coding import all_cells, columns, effects
from nextify.records import Measured, Plan, Record, Result
from nextify.requests import Choose, made
from nextify.studies import Frame, Task
from nextify.studies.running.worker import OnProgress

DATA = {
    "name": "none", "fingerprint": "00" * 32, "image_size": 28, "classes": 10,
    "train": 1000, "test": 16,
}  # fmt: skip
NAMES = (
    "patchify stem", "depthwise conv", "inverted bottleneck", "ReLU to GELU", "BN to LN",
    "separate downsampling",
)  # fmt: skip
FACTORS = tuple(Factor(name, (name,)) for name in NAMES)


FRESH = 2  # the first seed of the finals


def small_task(factors: int = 5, seeds: int = 2, **changes: Any) -> Task:
    of = Frame(
        path("small"),
        data=DATA,
        data_source="Nothing.",
        seeds=range(seeds),
        factors=FACTORS[:factors],
        recipe_changes={"epochs": 2, "batch_size": 100},
        end_seeds=0,
    )
    budgets = changes.pop("budgets", {"params": 200_000})
    held_out = changes.pop("held_out", False)
    request = made(Choose, {"params": "200k", "experiment": "resolution-4", **changes})
    return Task(frame=of, data=of.data, held_out=held_out, budgets=budgets, request=request)


@dataclass(frozen=True)
class Truth:
    """The expected accuracy of every subset of the factors, and the noise.

    Attributes:
        values: in the order of `all_cells`. sd: between seeds. shared: of it, what all runs of a
            seed have in common. shape: what a reshaped design has more. finals: what runs
            of the finals have more, whose images are others.
        diverging: for a subset's number, the seeds that diverge; None for all.
        world: draws the noise.
    """

    values: tuple[float, ...]
    sd: float = 0.01
    shared: float = 0.0
    shape: float = 0.0
    finals: float = 0.0
    diverging: Mapping[int, tuple[int, ...] | None] = field(default_factory=dict)
    factors: tuple[Factor, ...] = FACTORS[:5]
    world: int = 0

    def number(self, run: Run) -> int:
        """Which subset a run is of, whatever its widths and depths."""
        start = path("small").start
        known = {choice.name: choice.changes for choice in path("small").choices}
        changes = [known[factor.choices[0]] for factor in self.factors]
        made = [
            all(getattr(run.design, name) == value for name, value in each.items())
            for each in changes
        ]
        assert run.design.spatial_position == start.spatial_position
        return sum(1 << at for at, is_made in enumerate(made) if is_made)

    def value(self, run: Run) -> float:
        more = self.shape if run.design.depths != path("small").start.depths else 0.0
        return self.values[self.number(run)] + more + self.finals * (run.seed >= FRESH)

    def __call__(
        self, run: Run, dataset: Any = None, on_progress: OnProgress | None = None
    ) -> Record:
        """A record, as training would return it."""
        number = self.number(run)
        own = np.random.default_rng([int(run.key[:15], 16), self.world])
        of_seed = np.random.default_rng([run.seed, self.world])
        noise = self.sd * (
            np.sqrt(1 - self.shared) * own.normal() + np.sqrt(self.shared) * of_seed.normal()
        )
        result = Result(
            accuracy=self.value(run) + noise, nll=1.0, calibration_error=0.0, images=16,
            correct=b"\0\0", steps=20,
        )  # fmt: skip
        record = Record(
            key=run.key, run=run.as_dict(), outcome="finished", result=result,
            measured=Measured(seconds=1.0, evaluation_seconds=0.0, images_per_second=1.0,
                              peak_memory=1),
        )  # fmt: skip
        bad = self.diverging.get(number, ())
        if bad is None or run.seed in bad:
            return replace(record, outcome="diverged", result=None, message="the loss was nan")
        return record

    def records(self, plan: Plan) -> list[Record]:
        """Of all runs of a plan."""
        return [self(run) for run in plan.runs()]


def random_truth(
    rng: np.random.Generator,
    *,
    main: float = 0.02,
    pairs: float = 0.01,
    own: float = 0.0,
    factors: int = 5,
    **changes: Any,
) -> Truth:
    """Effects drawn at random; a third of the main effects and of the interactions are zero."""
    levels = all_cells(factors)
    terms = effects(factors)
    sizes = np.array([0.0 if not t else main if len(t) == 1 else pairs for t in terms])
    sizes = sizes * rng.normal(size=len(terms)) * (rng.random(len(terms)) > 1 / 3)
    values = 0.7 + columns(levels, terms) @ (sizes / 2) + own * rng.normal(size=len(levels))
    world = int(rng.integers(2**31))
    return Truth(tuple(values.tolist()), factors=FACTORS[:factors], world=world, **changes)


def with_quick_keys(patch: pytest.MonkeyPatch) -> None:
    """Keys of runs that take a tenth of the time, for simulations: of one data set."""

    def key(run: Run) -> str:
        return hashlib.sha256(f"{run.design}{run.recipe}{run.seed}".encode()).hexdigest()

    patch.setattr(Run, "key", property(key))
