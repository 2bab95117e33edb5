"""`attribute`: from a factorial study's records to all that they say about its choices."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from nextify.designs import Nuisance
from nextify.experiments.coding import Effect, Floats
from nextify.experiments.intervals import LEVEL, Interval, around, student
from nextify.findings import answers, measure
from nextify.findings.answers import (
    Attribution,
    Contribution,
    Credit,
    Estimate,
    Interaction,
    Triple,
)
from nextify.findings.basis import Basis, basis
from nextify.findings.cells import Cells, Noise, gather, seeds_alike
from nextify.findings.crossed import crossed
from nextify.findings.factor_runs import FactorRuns, factor_runs
from nextify.findings.failures import failures
from nextify.findings.images import images_part
from nextify.findings.judged import judged
from nextify.findings.lenth import half_normal_scores
from nextify.findings.model import LackOfFit, lack_of_fit, least_squares
from nextify.findings.pairs import Group, groups_of_pairs, interactions
from nextify.findings.rates import rate_stability
from nextify.findings.scores import BY_CLASS, AnyScore, ProbeScore
from nextify.findings.shapley import order_variance
from nextify.findings.triples import hidden_triples, sums_of_triples, triples
from nextify.findings.ways import changes, ends
from nextify.findings.whole import Whole, whole
from nextify.records.plan import Plan
from nextify.records.record import Record

CLEARLY = 0.05


def attribute(
    plan: Plan,
    records: Iterable[Record],
    metric: AnyScore = "accuracy",
    *,
    level: float = LEVEL,
    margin: float | None = None,
    is_brief: bool = False,
) -> Attribution:
    """What each factor of a study contributes to a score, how sure that is, and what is not known.

    Contributions are Shapley values where all subsets ran or orders were sampled, and otherwise
    average effects of the cells that were trained, which are the Shapley values where no
    interaction of three or more factors matters; `Attribution.gap` checks that, and
    `Attribution.shapley` allows for them. Intervals are 95 %; they cover new seeds, the `wide` ones
    new test images too; never other training images, data sets or recipes. A run that diverged
    scores what chance scores; of a score without bounds effects are over the finished runs. Where
    another reading of the runs (`Attribution.readings`) has another answer there is no verdict but
    the reason; `failures` counts the diverged runs.

    Args:
        plan: of an experiment in factors. records: of its runs; others are left out.
        metric: `"accuracy"` or `"logit accuracy"`; `"nll"`, `"balanced accuracy"` or `"macro f1"`
            (no interval for new test images: they are not kept per image); or a probe's value
            (`nextify.findings.probed`).
        level: of the simultaneous intervals, by which verdicts go: that of this look
            (`nextify.findings.looking`); at 1 there is no verdict.
        margin: the smallest effect of interest, in the score's own units.
        is_brief: contributions, their sum and the noise alone, which is much faster.

    Raises:
        InputError: a plan without factors (a path's), or an unknown metric.
    """
    runs = factor_runs(plan, records, metric)
    return judged(runs, lambda each: attribute_runs(plan, each, level, margin, is_brief))


def attribute_runs(
    plan: Plan,
    runs: FactorRuns,
    level: float = LEVEL,
    margin: float | None = None,
    is_brief: bool = False,
) -> Attribution:
    """What one reading of a plan's runs says; see `judged.readings`."""
    study = _study(plan, runs, level, margin)
    read = study.basis
    measured = study.contrasts(read.weights[read.known], _by_orders(study))
    every = measure.together(measured, level)
    brief = _brief(study, plan, measured, every)
    if is_brief:
        return brief
    groups, untold = groups_of_pairs(read.pairs, len(runs.factors))
    noise = measure.noise_of_repeated(study.noise)
    learned = whole(runs, noise, read.pairs.fixed, study.players)
    pairs = _interactions(study, groups, brief.contributions)
    return replace(
        brief,
        shapley=() if read.adds_up else _shapley(study, learned),
        interactions=pairs,
        triples=_triples(study, brief.contributions, pairs),
        ways=_ways(study, learned),
        rates=rate_stability(study.noise, study.orders, level),
        failures=failures(runs),
        limits=replace(brief.limits, untold=untold),
        crossed=_crossed(study, plan.crossed),
    )


@dataclass(frozen=True, eq=False, slots=True)
class _Study:
    """What all parts of the answer are read from."""

    runs: FactorRuns
    cells: Cells
    basis: Basis
    noise: Noise
    players: NDArray[np.bool_]
    orders: Sequence[Sequence[int]]
    level: float
    margin: float | None

    def contrasts(
        self, weights: Sequence[Floats] | Floats, more: Floats | None = None
    ) -> measure.Contrasts:
        """Contrasts of the cells, none or more; see `measure.contrasts`."""
        table = np.array(weights).reshape(len(weights), len(self.cells.counts))
        part = images_part(self.runs, self.cells, table)
        return measure.contrasts(self.noise, table, part, more)


def _study(plan: Plan, runs: FactorRuns, level: float, margin: float | None) -> _Study:
    # A plan augmented with other cells is read by the model: it uses all of them.
    sampled = plan.orders if plan.experiment == "permutations" else ()
    orders = [[runs.factors.index(name) for name in order] for order in sampled]
    cells = gather(runs)
    read = basis(cells.levels, cells.rate, orders, cells.crossed)
    noise = measure.noise_of(cells, read.pairs, isinstance(runs.score, ProbeScore))
    players = np.arange(len(runs.columns)) < len(runs.factors)
    return _Study(runs, cells, read, noise, players, orders, level, margin)


def _brief(
    study: _Study, plan: Plan, measured: measure.Contrasts, every: measure.Together
) -> Attribution:
    """Contributions, their sum and the noise: all that takes no time."""
    tested = lack_of_fit(study.cells, study.basis.pairs)
    return Attribution(
        metric=study.runs.score,
        method=study.basis.method,
        estimand="Shapley value" if study.basis.adds_up else "average effect",
        experiment=plan.experiment,
        matched=plan.matched,
        counts=_counts(study),
        contributions=tuple(_contributions(study, measured, every)),
        shapley=(),
        gap=_gap(study, tested),
        interactions=(),
        triples=(),
        ways=(),
        rates=None,
        failures=(),
        noise=_noise(study, measured, every),
        lack_of_fit=tested,
        limits=_limits(study),
        level=study.level,
        margin=study.margin,
    )


def _by_orders(study: _Study) -> Floats | None:
    """(k, 2) variance from sampling orders and its degrees of freedom."""
    read, cells = study.basis, study.cells
    if read.tables is None or study.noise.sd is None:
        return None
    noise = study.noise.sd**2 / cells.counts
    found = order_variance(read.tables, read.groups, cells.means, noise)
    return None if found is None else np.stack([found, 0 * found + len(read.groups) - 1], axis=1)


def _contributions(
    study: _Study, measured: measure.Contrasts, every: measure.Together
) -> Iterator[Contribution]:
    known, pairs, cells = study.basis.known, study.basis.pairs, study.cells
    fit = least_squares(pairs.matrix[cells.index()], cells.values)
    rows = np.cumsum(known) - 1  # of a known factor among what is measured
    p = every.p
    for j, name in enumerate(study.runs.factors):
        if not known[j]:
            yield Contribution(name, Estimate(None))
            continue
        at, column = int(rows[j]), pairs.terms.index((j,))  # a known factor is a term
        answer = _answer(study, float(measured.values[at]), every.narrow[at])
        yield Contribution(
            name=name,
            estimate=measured.estimate(at),
            simultaneous=every.narrow[at],
            wide=every.wide[at],
            p=p[at],
            classical=_number(2 * fit.classical[column]),
            hc3=_number(2 * fit.hc3[column]),
            answer=answer,
            within=_within(study, every.narrow[at]),
        )


def _answer(study: _Study, value: float, together: Interval | None) -> answers.Answer:
    """What the data allow to be said of a contribution."""
    if together is None:
        return "no verdict" if study.level >= 1 else "no interval"
    if study.noise.source == "exact" and not value:
        return "no effect"
    if not together.excludes_zero:
        return "negligible" if _within(study, together) else "not resolved"
    return answers.verdict_of(study.runs.score, value)


def _within(study: _Study, together: Interval | None) -> bool:
    """Whether no effect as large as the margin is left open."""
    return bool(study.margin and together and together.farthest <= study.margin)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _gap(study: _Study, tested: LackOfFit | None) -> answers.Gap | None:
    total = ends(study.cells, study.players)
    if total is None or not study.basis.known.all():
        return None
    left = total - study.basis.weights.sum(axis=0)
    whole = study.contrasts([total]).estimate(0)
    if study.basis.adds_up:
        return answers.Gap(whole, Estimate(0.0), True, "whole orders")
    if np.abs(left).max() < 1e-9:  # a plan of no more cells than effects
        return answers.Gap(whole, Estimate(0.0), True, "saturated")
    estimate = study.contrasts([left]).estimate(0)
    return answers.Gap(whole, estimate, False, _gap_verdict(study, estimate.interval, tested))


def _gap_verdict(
    study: _Study, left: Interval | None, tested: LackOfFit | None
) -> answers.GapVerdict:
    if left is None:
        return "no interval"
    if left.excludes_zero:
        return "interactions" if study.basis.method == "main effects" else "third order"
    return "cancelling" if tested is not None and tested.p < CLEARLY else "adds up"


def _interactions(
    study: _Study, groups: Sequence[Group], found: Sequence[Contribution]
) -> tuple[Interaction, ...]:
    pairs = study.basis.pairs
    wanted = np.array([group.combination for group in groups])
    wanted = wanted.reshape(len(groups), pairs.matrix.shape[1])
    measured = study.contrasts(pairs.weights(wanted))
    hidden = hidden_triples(study.cells, pairs, wanted).tolist()
    return interactions(groups, measured, found, hidden, study.runs.crossed)


def _crossed(study: _Study, nuisances: Sequence[Nuisance]) -> tuple[answers.Crossed, ...]:
    if not nuisances:
        return ()

    def together(changes: measure.Contrasts) -> Sequence[Interval | None]:
        return measure.together(changes).narrow

    pairs, levels = study.basis.pairs, study.cells.levels
    return crossed(nuisances, study.runs.factors, pairs, levels, study.contrasts, together)


def _triples(
    study: _Study, found: Sequence[Contribution], pairs: Sequence[Interaction]
) -> tuple[Triple, ...]:
    sums = sums_of_triples(study.cells, study.basis.pairs)
    measured = study.contrasts([each.weights for each in sums])
    return triples(sums, measured, found, pairs, study.runs.crossed)


def _shapley(study: _Study, learned: Whole | None) -> tuple[Credit, ...]:
    """Of all players, by the model of all orders."""
    if learned is None:
        return ()
    measured = learned.contrasts(learned.shapley())
    every = measure.together(measured, study.level)
    known = (study.basis.pairs.fixed == 0)[study.players]
    rows = zip(measured.all_estimates(), every.narrow, every.wide, strict=True)
    names = study.runs.factors
    return tuple(
        Credit(name, *(next(rows) if on else (Estimate(None), None, None)))
        for name, on in zip(names, known.tolist(), strict=True)
    )


def _ways(study: _Study, learned: Whole | None) -> tuple[answers.Ways, ...]:
    """Increments: from the cells where both designs were trained, otherwise by the model."""
    found = changes(study.cells, study.players)
    every = [change for row in found for change in row]
    trained = [change.weights for change in every if change.weights is not None]
    models = [
        learned.change(each.before, each.after) if learned and each.weights is None else None
        for each in every
    ]
    measured = _increments(study, "trained cells", study.contrasts(trained))
    told = [each for each in models if each is not None]
    predicted: Iterator[answers.Way] = iter(())
    if learned and told:
        of = learned.contrasts(np.array(told))
        predicted = _increments(study, "model of all orders", of)
    rows = iter(
        next(measured)
        if each.weights is not None
        else next(predicted)
        if model is not None
        else None
        for each, model in zip(every, models, strict=True)
    )
    named = study.runs.factors
    return tuple(answers.Ways(name, next(rows), next(rows), next(rows)) for name in named)


def _increments(
    study: _Study, by: answers.Origin, measured: measure.Contrasts
) -> Iterator[answers.Way]:
    count = max(1, 3 * int(study.players.sum()) - 2)  # the path's ends are among the others
    for each in measured.all_estimates():
        value, error, df = each.value, each.error, each.df
        within = None
        if value is not None and error is not None and df is not None and study.level < 1:
            within = around(value, student(df, count, study.level) * error)
        yield answers.Way(each, by, within)


def _noise(
    study: _Study, measured: measure.Contrasts, every: measure.Together
) -> answers.NoiseSummary:
    value, interval = seeds_alike(study.cells, study.runs).correlation
    terms: tuple[Effect, ...] = ()
    effects = np.zeros(0)
    if study.cells.counts.max(initial=0) == 1:
        terms, effects, _ = measure.unreplicated_effects(study.cells, study.basis.pairs)
    names = [" x ".join(study.runs.columns[j] for j in term) for term in terms]
    scores = half_normal_scores(effects).tolist()
    return answers.NoiseSummary(
        source=study.noise.source,
        sd=study.noise.sd,
        df=study.noise.df,
        own=measured.own,
        critical=every.critical,
        seed_correlation=value,
        seed_correlation_interval=interval,
        lenth=study.noise.lenth,
        half_normal=tuple(zip(names, effects.tolist(), scores, strict=True)),
    )


def _counts(study: _Study) -> answers.Counts:
    became = Counter[str](study.runs.became)
    valued = Counter(compress(study.runs.became, study.runs.finished.tolist()))
    may_lack = isinstance(study.runs.score, ProbeScore) or study.runs.score in BY_CLASS
    finished = (valued if may_lack else became)["finished"]
    return answers.Counts(
        planned=became.total(),
        finished=finished,
        **{name: became[name] for name in ("diverged", "failed", "missing")},
        cells=len(study.cells.counts),
        planned_cells=len(set(study.runs.cell.tolist())),
        without=became["finished"] - finished,
    )


def _limits(study: _Study) -> answers.Limits:
    names, read = study.runs.columns, study.basis
    fixed = read.pairs.fixed[: len(study.runs.factors)]
    return answers.Limits(
        shared=study.runs.shared,
        single=int(np.sum(study.cells.counts == 1)),
        fixed=tuple((names[j], bool(fixed[j] > 0)) for j in np.flatnonzero(fixed)),
        lost_orders=read.lost_orders,
        orders=len(study.orders),
        confounded=tuple(names[j] for j in read.confounded),
        mixed=tuple(
            (names[j], tuple((names[a], names[b]) for a, b in pairs)) for j, pairs in read.mixed
        ),
        untold=0,
        per_image=study.runs.correct is not None,
        with_triples=_with_triples(study),
    )


def _with_triples(study: _Study) -> tuple[str, ...]:
    pairs, names = study.basis.pairs, np.array(study.runs.factors)
    at = [j for j in range(len(names)) if study.basis.known[j] and (j,) in pairs.terms]
    if study.basis.adds_up or not at:
        return ()
    hidden = hidden_triples(study.cells, pairs, pairs.unit([(j,) for j in at]))
    return tuple(names[at][hidden].tolist())
