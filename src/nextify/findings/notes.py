"""What the numbers rest on and what cannot be said, in sentences."""

from collections.abc import Iterator, Sequence

import numpy as np

from nextify.experiments.coding import Effect
from nextify.findings.answers import Counts, Gap
from nextify.findings.basis import Basis
from nextify.findings.cells import Noise
from nextify.findings.experiment import Experiment
from nextify.findings.model import LackOfFit
from nextify.findings.pairs import Group

CLEARLY = 0.05


def notes(
    runs: Experiment,
    read: Basis,
    noise: Noise,
    counts: Counts,
    gap: Gap | None,
    groups: Sequence[Group],
    unknown: Sequence[Effect],
    tested: LackOfFit | None,
) -> tuple[str, ...]:
    """Every caveat of an attribution, the gravest first."""
    return (
        *_runs(runs, counts),
        *read.notes,
        *(_noise(noise, counts) if counts.finished else ()),
        *_model(read, gap, tested),
        *(_aliased(runs, groups, unknown) if counts.finished else ()),
        *_images(runs, counts),
    )


def _runs(runs: Experiment, counts: Counts) -> Iterator[str]:
    if not counts.finished:
        yield (
            f"none of {counts.planned} runs has a score ({counts.diverged} diverged, "
            f"{counts.failed} failed, {counts.missing} not recorded): nothing can be said of the "
            "contributions"
        )
    elif counts.finished < counts.planned:
        yield (
            f"{counts.planned - counts.finished} of {counts.planned} runs have no score "
            f"({counts.diverged} diverged, {counts.failed} failed, {counts.missing} not recorded): "
            "effects are over the finished runs"
        )
    if counts.diverged and counts.finished:
        yield (
            "effects describe runs that do not diverge; how often a choice makes them diverge is "
            "counted beside it"
        )
    if counts.finished and counts.cells < counts.planned_cells:
        yield f"{counts.planned_cells - counts.cells} of {counts.planned_cells} cells have no score"
    if runs.shared:
        yield f"{runs.shared} runs stand in two cells each: a choice changes nothing there"


def _noise(noise: Noise, counts: Counts) -> Iterator[str]:
    match noise.source:
        case "none":
            yield (
                "no intervals: no cell has two runs that differ, and the plan leaves nothing to "
                "estimate the noise from; run it with a second seed"
            )
        case "Lenth":
            yield (
                "one run a cell: the noise is Lenth's pseudo standard error, which takes most "
                "effects for nothing; a second seed would measure it"
            )
        case "residual":
            yield (
                "few cells or none were run twice: the noise is what the two-factor model leaves "
                f"over ({noise.df:.0f} degrees of freedom), and holds whatever the model leaves "
                "out; a second seed would measure it"
            )
        case "pure error":
            single = int(np.sum(noise.cells.counts == 1))
            if single:
                yield (
                    f"{single} of {counts.cells} cells have one run: their noise is taken to be "
                    "that of the others"
                )


def _model(read: Basis, gap: Gap | None, tested: LackOfFit | None) -> Iterator[str]:
    if read.method == "two-factor model":
        yield (
            "contributions are main effects: the Shapley values where no interaction of three or "
            "more factors matters"
        )
    if gap is None and read.method in ("two-factor model", "main effects"):
        yield (
            "the end-cell gap cannot be computed: an end cell has no score, or a contribution is "
            "not known; so the model is not checked at the ends"
        )
    if tested is not None and tested.p < CLEARLY and read.method == "two-factor model":
        yield (
            f"the two-factor model does not fit all cells (lack of fit: F({tested.df_lack}, "
            f"{tested.df_pure}) = {tested.f:.2f}, p = {tested.p:.2g}): contributions are averages "
            "over what else is made; intervals do not rest on that model"
        )


def _aliased(runs: Experiment, groups: Sequence[Group], unknown: Sequence[Effect]) -> Iterator[str]:
    mixed = [group for group in groups if group.others]
    if mixed:
        shown = "; ".join(_sum(runs, group) for group in mixed[:3])
        more = f"; and {len(mixed) - 3} more sums" if len(mixed) > 3 else ""
        yield f"interactions that only show as sums: {shown}{more}"
    if unknown:
        pairs = len(runs.factors) * (len(runs.factors) - 1) // 2
        yield f"{len(unknown)} of {pairs} two-factor interactions cannot be told from these cells"


def _sum(runs: Experiment, group: Group) -> str:
    parts = [f"{runs.factors[group.first[0]]} x {runs.factors[group.first[1]]}"]
    parts += [
        f"{'+' if sign > 0 else '-'} {runs.factors[a]} x {runs.factors[b]}"
        for (a, b), sign in group.others
    ]
    return " ".join(parts)


def _images(runs: Experiment, counts: Counts) -> Iterator[str]:
    if runs.score == "nll":
        yield "intervals cover new seeds only: the log-likelihood is not kept per test image"
    elif runs.correct is None and counts.finished:
        yield (
            "intervals cover new seeds only: runs were tested on different numbers of images, or "
            "their results per image are not there"
        )
