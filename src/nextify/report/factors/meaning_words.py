"""What choices mean, in sentences: what each does to probes' values, as far as it is resolved."""

import re
from typing import Any

from nextify.findings.answers import DECIDED, Contribution
from nextify.findings.meaning import Association, Column, Meaning
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.units import unit_of
from nextify.report.page import ends_of
from nextify.words import listed, plural, signed, span


def title_of(column: Column) -> str:
    """A probe in words.

    >>> title_of(column)  # doctest: +SKIP
    'shift consistency'
    """
    return unit_of(column.score).title


def probe_key(view: View, column: Column) -> str:
    """The name of a probe's figure."""
    return f"probe-{re.sub('[^a-z0-9-]+', '-', column.score.name.lower())}{view.key}"


def held(of: Meaning) -> str:
    """What the intervals of a matrix hold, in short."""
    if of.control == "simultaneous":
        return "95 % for all factors and probes together, new seeds"
    return "5 % false discoveries over all factors and probes"


def how_judged(of: Meaning) -> str:
    """How the number of cells of the matrix is allowed for."""
    cells = plural(of.judged, "effect")
    if of.level >= 1:
        return "No verdict now: planned looks come at their time, and not after the last."
    if not of.judged:
        text = "No effect has an interval that new seeds would need"
    elif of.control == "simultaneous":
        text = f"The intervals of all {cells} hold together 95 times in 100, over all looks (Sidak)"
    else:
        text = (
            f"Of {cells} {of.told} are told from zero; of such, 5 % are none on average (Benjamini "
            "and Hochberg), and as many of their intervals miss (Benjamini and Yekutieli)"
        )
    exact = [title_of(column) for column in of.columns if column.is_exact]
    if not exact:
        return f"{text}."
    verb = "are" if exact[1:] else "is"
    return (
        f"{text}. {listed(exact).capitalize()} {verb} the same with every seed: effects on "
        f"{'them' if exact[1:] else 'it'} are exact for the cells that were trained."
    )


def sentences(content: FactorContent, of: Meaning) -> list[str]:
    """One for each factor of which something is resolved, one for the others."""
    told, nothing = [], []
    for at, name in enumerate(content.names):
        parts = [
            _does(column, each)
            for column in of.columns
            if (each := column.found.contributions[at]).answer in DECIDED
        ]
        if parts:
            told.append(f"{name[:1].upper()}{name[1:]} {listed(parts)}.")
        else:
            nothing.append(name)
    if nothing and of.level < 1:
        told.append(f"Of {listed(nothing)} these runs resolve no effect on any of these probes.")
    return told


def _does(column: Column, of: Contribution) -> str:
    """What a factor does to a probe's value, as "lowers shift consistency by 2.1 points (1.2 to
    3.0)"."""
    value, unit = of.estimate.value, unit_of(column.score)
    assert value is not None and of.simultaneous is not None
    verb = "raises" if value > 0 else "lowers"
    name = "" if unit.name == "units" else f" {unit.name}"
    ends = sorted(map(abs, (of.simultaneous.low, of.simultaneous.high)))
    within = "exactly" if column.is_exact else f"{unit.plain(ends[0])} to {unit.plain(ends[1])}"
    return f"{verb} {unit.title} by {unit.plain(abs(value))}{name} ({within})"


def associations(of: Meaning) -> str:
    """How probes' values and accuracy go together."""
    known = [(column, column.association) for column in of.columns if column.association]
    clear = [(c, a) for c, a in known if a.interval and a.interval.excludes_zero]
    text = (
        "Association over cells, and no more: that two go together says of neither that it makes "
        "the other. "
    )
    if not known:
        return f"{text}Of no probe can it be told."
    if not clear:
        return f"{text}No probe’s value is seen to go with accuracy."
    parts = [f"{title_of(column)} ({correlation(each)})" for column, each in clear]
    return f"{text}With accuracy go {listed(parts)}: rank correlations, 95 % intervals."


def correlation(of: Association) -> str:
    """A rank correlation with its interval."""
    within = f", {span(of.interval.low, of.interval.high)}" if of.interval else ""
    return f"{signed(of.spearman)}{within}"


def runs_in_words(of: Meaning) -> str:
    """On how many runs and cells the matrix rests."""
    counts = sorted({(c.found.counts.finished, c.found.counts.cells) for c in of.columns})
    (least, few), (most, many) = counts[0], counts[-1]
    if len(counts) == 1:
        return f"n = {plural(most, 'run')} with a value in {plural(many, 'cell')}"
    return f"n = {least} to {most} runs with a value in {few} to {many} cells, by probe"


def missing(column: Column) -> str:
    """Which runs have no value of a probe, and why; empty where all have one."""
    counts, reasons = column.found.counts, dict(column.score.reasons)
    became = {"diverged": counts.diverged, "failed": counts.failed, "not run": counts.missing}
    became["not measured"] = max(0, counts.without - sum(reasons.values()))
    told = [f"{count} {what}" for what, count in became.items() if count]
    told += [f"{count}: {why}" for why, count in reasons.items()]
    lost = f"{counts.planned - counts.finished} of {plural(counts.planned, 'run')}"
    return f"{title_of(column)}: {lost} without a value ({'; '.join(told)})" if told else ""


def caveats(of: Meaning) -> list[str]:
    """What is left out of the matrix."""
    lacking = [text for text in map(missing, of.columns) if text]
    if any(column.found.counts.diverged for column in of.columns):
        lacking.append(
            "a network that diverged has no value of a probe: effects are those on runs that finish"
        )
    single = {column.found.noise.source for column in of.columns} & {"residual", "Lenth"}
    if single:
        lacking.append(
            "few cells or none were run twice: the spread is what the two-factor model leaves over"
        )
    return lacking


def lines(view: View) -> list[dict[str, Any]]:
    """The matrix as lines of a table, one a probe and factor."""
    of = view.meaning
    return [] if of is None else [
        {
            "study": view.label,
            "probe": column.score.name,
            "unit": column.score.unit,
            "better": unit_of(column.score).better,
            "factor": each.name,
            "effect": each.estimate.value,
            "standard_error": each.estimate.error,
            "df": each.estimate.df,
            **ends_of("interval", each.simultaneous),
            "p": each.estimate.p,
            "spread": column.sd,
            "effect_in_spreads": column.in_spreads(each),
            "answer": each.answer,
            "exact": column.is_exact,
            "control": of.control,
            "level": of.level,
            "interval_level": of.each,
            "runs": column.found.counts.finished,
            "cells": column.found.counts.cells,
        }
        for column in of.columns
        for each in column.found.contributions
    ]  # fmt: skip


def as_values(content: FactorContent, of: Meaning) -> dict[str, Any]:
    """The matrix' sentences and associations, for JSON."""
    return {
        "control": of.control,
        "judged_together": of.judged,
        "told_from_zero": of.told,
        "meaning": [how_judged(of), *sentences(content, of)],
        "associations": {
            column.score.name: each and {
                "spearman": each.spearman,
                **ends_of("spearman", each.interval),
                "kendall": each.kendall,
                "cells": each.cells,
            }
            for column in of.columns
            for each in [column.association]
        },
        "notes": caveats(of),
    }  # fmt: skip
