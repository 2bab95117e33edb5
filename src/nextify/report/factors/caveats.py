"""Verdicts of an attribution, what its numbers rest on and what cannot be said, in sentences."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from nextify.findings import Attribution, Contribution, Interaction
from nextify.findings.answers import Triple
from nextify.findings.attribute import CLEARLY
from nextify.findings.cells import Source
from nextify.findings.model import LackOfFit
from nextify.findings.scores import BY_CLASS, PER_IMAGE, ProbeScore, name_of
from nextify.report.factors import outcomes
from nextify.report.factors.units import amount

_NOISE: dict[Source, str] = {
    "none": "no intervals: no cell has two runs that differ, and the plan leaves nothing to "
    "estimate the noise from; run it with a second seed",
    "Lenth": "one run a cell: the noise is Lenth's pseudo standard error, which takes most effects "
    "for nothing; a second seed would measure it",
    "residual": "few cells or none were run twice: the noise is what the two-factor model leaves "
    "over ({df:.0f} degrees of freedom), and holds whatever the model leaves out; a second seed "
    "would measure it",
    "exact": "no run differs from another of its cell: the score follows from the design alone, "
    "and effects on it are exact for the cells that were trained",
    "pure error": "{single} of {cells} cells have one run: their noise is taken to be that of the "
    "others",
}


def as_values(found: Attribution) -> dict[str, Any]:
    """The attribution as plain values, ready for JSON, with its verdicts and notes."""
    values = asdict(found)
    values["metric"] = name_of(found.metric)
    if not found.counts.without:
        del values["counts"]["without"]
    for each, of in zip(values["contributions"], found.contributions, strict=True):
        each["verdict"] = verdict(found, of)
    if found.gap:
        values["gap"]["verdict"] = gap(found)
    return {**values, "notes": notes(found)}


def verdict(found: Attribution, of: Contribution) -> str:
    """What the data allow to be said of a contribution."""
    if outcomes.rests(of):
        return outcomes.no_verdict(found, of)
    runs = f"these {outcomes.scored(found)} runs"
    match of.answer, of.simultaneous:
        case "cannot be told", _:
            return "cannot be told from these runs"
        case "no verdict", _:
            return "no verdict now"
        case "negligible", _:
            return f"no effect larger than {amount(found.margin or 0.0, found.metric)}, the margin"
        case (("helps" | "hurts" | "raises" | "lowers"), _) if of.within:
            return f"{of.answer}, by less than the margin"
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
        "whole orders": "zero by construction: Shapley values of all subsets or of whole orders "
        "add up exactly, so the gap tests nothing here",
        "saturated": "zero by construction: the plan is saturated",
        "no interval": "no interval: the end cells' noise is not known",
        "interactions": "the contributions do not add up: there are interactions, and the "
        "contributions are averages over these cells alone",
        "third order": "interactions of three or more factors: the contributions are averages over "
        "what else is made (main effects), and the Shapley values differ from them by this much in "
        "sum",
        "cancelling": f"the contributions add up to within {most}, though single cells show "
        "interactions of three or more factors (lack of fit): between the two ends these cancel",
        "adds up": f"the contributions add up to within {most}: no interactions of three or more "
        "are seen",
    }[found.gap.verdict]


def notes(found: Attribution) -> list[str]:
    """Every caveat of an attribution, the gravest first."""
    some, limits, count = found.counts.finished > 0, found.limits, len(found.contributions)
    source, single, cells = found.noise.source, limits.single, found.counts.cells
    noise = _NOISE[source].format(df=found.noise.df, single=single, cells=cells)
    told = {
        **dict.fromkeys(outcomes.notes(found), True),
        **_runs(found),
        **dict.fromkeys(_basis(found), True),
        noise: some and (single > 0 or source != "pure error"),
        **_model(found),
        _sums(found): some and any(each.aliased for each in found.interactions),
        f"{limits.untold} of {count * (count - 1) // 2} two-factor interactions cannot be told "
        "from these cells": some and limits.untold > 0,
        "intervals cover new seeds only: the log-likelihood is not kept per test "
        "image": found.metric == "nll",
        "intervals cover new seeds only: which class a test image is of is not kept": found.metric
        in BY_CLASS,
        "intervals cover new seeds only: what a probe finds is not kept per test image": isinstance(
            found.metric, ProbeScore
        ),
        "intervals cover new seeds only: runs were tested on different numbers of images, or their "
        "results per image are not there": some and _counts_images(found) and not limits.per_image,
    }
    return [text for text, holds in told.items() if holds]


def _counts_images(found: Attribution) -> bool:
    """Whether the score is one of single images."""
    return found.metric in PER_IMAGE


def _runs(found: Attribution) -> dict[str, bool]:
    """Notes, and whether they hold."""
    counts, shared = found.counts, found.limits.shared
    some, unscored = counts.finished > 0, counts.planned - outcomes.scored(found)
    at_chance = outcomes.at_chance(found)
    told = f"{counts.diverged} diverged, {counts.failed} failed, {counts.missing} not recorded"
    lost = f"({told}{_without(found)}): "
    empty = counts.planned_cells - counts.cells
    return {
        f"none of {counts.planned} runs has a score {lost}nothing can be said of the "
        "contributions": not some,
        f"{unscored} of {counts.planned} runs have no score {lost}effects are over the finished "
        "runs": some and unscored > 0 and not at_chance,
        f"{unscored} of {counts.planned} runs have no score ({counts.failed} failed, "
        f"{counts.missing} not recorded): they are left out": some and unscored > 0 and at_chance,
        "effects describe runs that do not diverge; how often a choice makes them diverge is "
        "counted beside it": some and counts.diverged > 0 and not at_chance,
        f"{empty} of {counts.planned_cells} cells have no score": some and empty > 0,
        f"{shared} runs stand in two cells each: a choice changes nothing there": shared > 0,
    }


def _without(found: Attribution) -> str:
    """Of finished runs without a probe's value how many there are, and why; empty without such."""
    count = found.counts.without
    if not count:
        return ""
    if not isinstance(found.metric, ProbeScore):
        return f", {count} that did not count their test images by class"
    told = dict(found.metric.reasons)
    if (left := count - sum(told.values())) > 0:
        told["not measured"] = left
    return f", {count} without a value of this probe: {'; '.join(map(_reason, told.items()))}"


def _reason(of: tuple[str, int]) -> str:
    why, count = of
    return f"{why} ({count})"


def _basis(found: Attribution) -> Iterator[str]:
    limits = found.limits
    for name, made in limits.fixed:
        yield (
            f"{name}: {'always' if made else 'never'} made in the runs that have a score, so "
            "nothing can be said of its contribution, and the others' are of designs "
            f"{'with' if made else 'without'} it"
        )
    if limits.lost_orders:
        lost = f"{limits.lost_orders} of {limits.orders} sampled orders were left out"
        yield f"{lost}: a run on them has no score"
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
        start = f"{name}: its contribution cannot be told from interactions"
        yield f"{start} ({which}{more}) in these cells"


def _model(found: Attribution) -> dict[str, bool]:
    """Notes, and whether they hold."""
    tested, fitted = found.lack_of_fit, found.method == "two-factor model"
    rejected = tested is not None and tested.p < CLEARLY
    return {
        "contributions are average effects over these cells: the Shapley values where no "
        "interaction of three or more factors matters": fitted and not rejected,
        "the end-cell gap cannot be computed: an end cell has no score, or a contribution is not "
        "known; so the model is not checked at the "
        "ends": found.gap is None and (fitted or found.method == "main effects"),
        f"the two-factor model does not fit all cells (lack of fit: {f_test(tested)}): "
        "contributions are average effects and not Shapley values; intervals do not rest on that "
        "model": fitted and rejected,
        **_with_triples(found),
    }


def _with_triples(found: Attribution) -> dict[str, bool]:
    """Notes, and whether they hold."""
    pairs = [each for each in found.interactions if each.with_triples]
    three, mixed = "three-factor interactions in these cells", found.limits.with_triples
    return {
        f"{len(mixed)} of {len(found.contributions)} contributions cannot be told from "
        f"{three}": len(mixed) > 0,
        f"{len(pairs)} of {len(found.interactions)} two-factor interactions cannot be told from "
        f"{three}": len(pairs) > 0,
    }


def f_test(of: LackOfFit | None) -> str:
    """A test of lack of fit in numbers."""
    if of is None:
        return ""
    df = ", ".join(f"{round(each, 1):g}" for each in (of.df_lack, of.df_pure))
    return f"F({df}) = {of.f:.2f}, p = {of.p:.2g}"


def _sums(found: Attribution) -> str:
    mixed = [each for each in found.interactions if each.aliased]
    more = f"; and {len(mixed) - 3} more sums" if len(mixed) > 3 else ""
    sums = "; ".join(group(each, "x", "-") for each in mixed[:3])
    return f"interactions that only show as sums: {sums}{more}"


def triple(each: Triple) -> str:
    """Three factors, or the signed sum of those that the cells cannot tell apart."""
    others = [f" {'+' if sign > 0 else '−'} {' × '.join(three)}" for three, sign in each.aliased]
    return " × ".join(each.factors) + "".join(others)


def group(each: Interaction, times: str = "×", minus: str = "−") -> str:
    """A pair, or the signed sum of pairs that the cells cannot tell apart."""
    others = [f"{'+' if sign > 0 else minus} {a} {times} {b}" for a, b, sign in each.aliased]
    return " ".join([f"{each.first} {times} {each.second}", *others])
