"""Factorial studies that never ran: records with a known truth, and every kind of trouble."""

from collections.abc import Mapping

import numpy as np

from nextify.designs import path
from nextify.records import Cell, Plan, Record
from nextify.requests import Study
from nextify.requests import made as made_request
from nextify.studies import Frame, plan_experiment

from .fake_runs import diverged, failed, measured, record, result, right

IMAGES = 2_000
# Of the default eight factors, in accuracy; two do nothing.
TRUTH = (0.01, -0.02, -0.015, 0.02, 0.006, 0.0, 0.012, 0.0)
PAIRS = {(2, 3): 0.024}  # depthwise needs the inverted bottleneck


def plan(
    experiment: str = "resolution-5",
    seeds: int = 2,
    path_name: str = "small",
    matched: str = "",
    data_name: str = "cifar10",
    **settings,
) -> Plan:
    """A plan on the default eight factors of a path."""
    small = path_name == "small"
    asked = {"path": path_name, "data": data_name, "experiment": experiment, "seeds": seeds}
    request = made_request(Study, {**asked, "matched": matched or None})
    made = Frame(
        path(path_name),
        data={
            "name": data_name,
            "fingerprint": "3f1c0a9d5b7e48d2",
            "image_size": 32 if small else 224,
            "classes": 10 if small else 1000,
            "train": 50_000,
            "test": IMAGES,
        },
        data_source="CIFAR-10 by Alex Krizhevsky, as JPEG files.",
        seeds=range(seeds),
        matched=matched,
        **settings,
    )
    return plan_experiment(made, experiment, orders=4).asked_by(request)


def value(plan: Plan, cell: Cell, truth=TRUTH, pairs: Mapping = PAIRS) -> float:
    """The expected accuracy of a cell; an interaction of 4 beta is centred, so that a factor's
    contribution stays its `truth`."""
    made = [factor.name in (cell.made or ()) for factor in plan.factors]
    level = np.where(made, 1, -1)
    plain = sum(t for t, on in zip(truth, made, strict=False) if on)
    both = sum(np.prod(level[list(term)]) * size / 4 for term, size in pairs.items())
    return 0.72 + plain + both


def finished(plan: Plan, cell: int, seed: int, sd: float = 0.004, **truth) -> Record:
    """A run that went well; runs mostly agree on which images are hard."""
    generator = np.random.default_rng([cell, seed])
    shared = np.random.default_rng(99).normal(size=IMAGES)
    shared = np.sort(shared)[np.random.default_rng(7).permutation(IMAGES)]
    skill = value(plan, plan.cells[cell], **truth) + sd * generator.normal()
    correct = right(skill, [0.95, 0.05], [shared, generator.normal(size=IMAGES)])
    nll = 0.8 + (0.72 - float(correct.mean())) * 2.5
    return record(
        plan, cell, seed, "finished",
        result=result(correct, nll=nll, calibration_error=0.02),
        measured=measured(20.0, 5000.0),
    )  # fmt: skip


def places(plan: Plan) -> list[tuple[int, int]]:
    """Cell and seed of every planned run, seed by seed."""
    return [
        (at, seed)
        for seed in plan.all_seeds
        for at, cell in enumerate(plan.cells)
        if seed in plan.seeds_of(cell)
    ]


def whole(plan: Plan, **truth) -> list[Record]:
    """Every run finished."""
    return [finished(plan, at, seed, **truth) for at, seed in places(plan)]


def started(plan: Plan, share: float) -> list[Record]:
    """The first part of the runs: a study that still goes on."""
    where = places(plan)
    return [finished(plan, at, seed) for at, seed in where[: round(share * len(where))]]


def all_diverged(plan: Plan) -> list[Record]:
    """No run has a score."""
    return [diverged(plan, at, seed) for at, seed in places(plan)]


def troubled(plan: Plan) -> list[Record]:
    """Runs with the second factor made often diverge; one failed; the last three are missing."""
    name = plan.factors[1].name
    records = []
    for number, (at, seed) in enumerate(places(plan)[:-3]):
        if name in (plan.cells[at].made or ()) and number % 3 == 0:
            records.append(diverged(plan, at, seed))
        elif number == 20:
            records.append(failed(plan, at, seed, "out of memory <on device 0>"))
        else:
            records.append(finished(plan, at, seed))
    return records
