"""Verdicts of an attribution, what its numbers rest on and what cannot be said, in sentences."""

from collections.abc import Iterator
from typing import Any

from nextify.findings import Attribution, Contribution, Interaction
from nextify.findings.attribute import CLEARLY
from nextify.findings.cells import Source
from nextify.report.factors.units import amount

_NOISE: dict[Source, str] = {
    "none": "no intervals: no cell has two runs that differ, and the plan leaves nothing to "
    "estimate the noise from; run it with a second seed",
    "Lenth": "one run a cell: the noise is Lenth's pseudo standard error, which takes most effects "
    "for nothing; a second seed would measure it",
    "residual": "few cells or none were run twice: the noise is what the two-factor model leaves "
    "over ({df:.0f} degrees of freedom), and holds whatever the model leaves out; a second seed "
    "would measure it",
    "pure error": "{single} of {cells} cells have one run: their noise is taken to be that of the "
    "others",
}


def as_values(found: Attribution) -> dict[str, Any]:
    """The attribution as plain values, ready for JSON, with its verdicts and notes."""
    values = found.as_dict()
    for each, of in zip(values["contributions"], found.contributions, strict=True):
        each["verdict"] = verdict(found, of)
    if found.gap:
        values["gap"]["verdict"] = gap(found)
    return {**values, "notes": list(notes(found))}


def verdict(found: Attribution, of: Contribution) -> str:
    """What the data allow to be said of a contribution."""
    runs = f"these {found.counts.finished} runs"
    match of.answer, of.simultaneous:
        case "cannot be told", _:
            return "cannot be told from these runs"
        case _, None:
            return f"no interval: {runs} do not show the noise"
        case "not resolved", interval:
            most = amount(interval.farthest, found.metric)
            return f"no effect larger than {most} can be seen with {runs}"
    return of.answer


def gap(found: Attribution) -> str:
    """What the end-cell gap says of the model."""
    assert found.gap is not None
    interval = found.gap.estimate.interval
    most = amount(interval.farthest, found.metric) if interval else ""
    return {
        "whole orders": (
            "zero by construction: Shapley values of all subsets or of whole orders add up "
            "exactly, so the gap tests nothing here"
        ),
        "saturated": "zero by construction: the plan is saturated",
        "no interval": "no interval: the end cells' noise is not known",
        "interactions": (
            "the contributions do not add up: there are interactions, and the contributions are "
            "averages over these cells alone"
        ),
        "third order": (
            "interactions of three or more factors: the contributions are averages over what else "
            "is made (main effects), and the Shapley values differ from them by this much in sum"
        ),
        "cancelling": (
            f"the contributions add up to within {most}, though single cells show interactions of "
            "three or more factors (lack of fit): between the two ends these cancel"
        ),
        "adds up": (
            f"the contributions add up to within {most}: no interactions of three or more are seen"
        ),
    }[found.gap.verdict]


def notes(found: Attribution) -> Iterator[str]:
    """Every caveat of an attribution, the gravest first."""
    yield from _runs(found)
    yield from _basis(found)
    if found.counts.finished:
        yield from _noise(found)
    yield from _model(found)
    if found.counts.finished:
        yield from _aliased(found)
    if found.metric == "nll":
        yield "intervals cover new seeds only: the log-likelihood is not kept per test image"
    elif found.counts.finished and not found.limits.per_image:
        yield (
            "intervals cover new seeds only: runs were tested on different numbers of images, or "
            "their results per image are not there"
        )


def _runs(found: Attribution) -> Iterator[str]:
    counts, shared = found.counts, found.limits.shared
    lost = f"({counts.diverged} diverged, {counts.failed} failed, {counts.missing} not recorded): "
    if not counts.finished:
        yield (
            f"none of {counts.planned} runs has a score {lost}nothing can be said of the "
            "contributions"
        )
    elif counts.finished < counts.planned:
        yield (
            f"{counts.planned - counts.finished} of {counts.planned} runs have no score {lost}"
            "effects are over the finished runs"
        )
    if counts.diverged and counts.finished:
        yield (
            "effects describe runs that do not diverge; how often a choice makes them diverge is "
            "counted beside it"
        )
    if counts.finished and counts.cells < counts.planned_cells:
        yield f"{counts.planned_cells - counts.cells} of {counts.planned_cells} cells have no score"
    if shared:
        yield f"{shared} runs stand in two cells each: a choice changes nothing there"


def _basis(found: Attribution) -> Iterator[str]:
    limits = found.limits
    for name, made in limits.fixed:
        yield (
            f"{name}: {'always' if made else 'never'} made in the runs that have a score, "
            "so nothing can be said of its contribution, and the others' are of designs "
            f"{'with' if made else 'without'} it"
        )
    if limits.lost_orders:
        yield (
            f"{limits.lost_orders} of {limits.orders} sampled orders were left out: a run on them "
            "has no score"
        )
    for name in limits.confounded:
        yield f"{name}: these cells cannot tell it from the other factors"
    if len(limits.mixed) > 3:
        yield (
            "contributions cannot be told from interactions in these cells: each is what the "
            "choices add to these designs, not an average over what else is made"
        )
        return
    for name, pairs in limits.mixed:
        which = ", ".join(f"{a} x {b}" for a, b in pairs[:3])
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        yield (
            f"{name}: its contribution cannot be told from interactions ({which}{more}) in these "
            "cells"
        )


def _noise(found: Attribution) -> Iterator[str]:
    source, single = found.noise.source, found.limits.single
    if single or source != "pure error":
        yield _NOISE[source].format(df=found.noise.df, single=single, cells=found.counts.cells)


def _model(found: Attribution) -> Iterator[str]:
    tested = found.lack_of_fit
    if found.method == "two-factor model":
        yield (
            "contributions are main effects: the Shapley values where no interaction of three or "
            "more factors matters"
        )
    if found.gap is None and found.method in ("two-factor model", "main effects"):
        yield (
            "the end-cell gap cannot be computed: an end cell has no score, or a contribution is "
            "not known; so the model is not checked at the ends"
        )
    if tested is not None and tested.p < CLEARLY and found.method == "two-factor model":
        yield (
            f"the two-factor model does not fit all cells (lack of fit: F({tested.df_lack}, "
            f"{tested.df_pure}) = {tested.f:.2f}, p = {tested.p:.2g}): contributions are averages "
            "over what else is made; intervals do not rest on that model"
        )


def _aliased(found: Attribution) -> Iterator[str]:
    mixed = [each for each in found.interactions if each.aliased]
    if mixed:
        more = f"; and {len(mixed) - 3} more sums" if len(mixed) > 3 else ""
        yield f"interactions that only show as sums: {'; '.join(map(_sum, mixed[:3]))}{more}"
    if found.limits.untold:
        count = len(found.contributions)
        yield (
            f"{found.limits.untold} of {count * (count - 1) // 2} two-factor interactions cannot "
            "be told from these cells"
        )


def _sum(each: Interaction) -> str:
    others = [f"{'+' if sign > 0 else '-'} {a} x {b}" for a, b, sign in each.aliased]
    return " ".join([f"{each.first} x {each.second}", *others])
