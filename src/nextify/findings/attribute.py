"""`attribute`: from a factorial study's records to all that they say about its choices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nextify.experiments.coding import Effect, Floats
from nextify.findings.advice import Needed, runs_needed
from nextify.findings.answers import (
    Answer,
    Attribution,
    Contribution,
    Counts,
    Estimate,
    Gap,
    Interaction,
    NoiseSummary,
    Way,
    Ways,
    amount,
    judge,
)
from nextify.findings.basis import Basis, basis
from nextify.findings.blocks import Interval
from nextify.findings.cells import Cells, Noise, gather
from nextify.findings.experiment import Experiment, Score, experiment
from nextify.findings.failures import failures
from nextify.findings.lenth import Lenth, half_normal_scores
from nextify.findings.measure import (
    Contrasts,
    Together,
    contrasts,
    noise_of,
    together,
    unreplicated_effects,
    wild_critical,
)
from nextify.findings.model import (
    LackOfFit,
    LeastSquares,
    Model,
    lack_of_fit,
    least_squares,
)
from nextify.findings.notes import CLEARLY, notes
from nextify.findings.pairs import Group, groups_of_pairs, interactions
from nextify.findings.rates import rate_stability
from nextify.findings.resample import Images, images_part
from nextify.findings.shapley import order_variance
from nextify.findings.spread import seed_correlation
from nextify.findings.ways import Change, ends, way_weights
from nextify.records.plan import Plan
from nextify.records.record import Record

DRAWS = 2000


def attribute(
    plan: Plan,
    records: Iterable[Record],
    metric: Score = "accuracy",
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Attribution:
    """What each factor of a study contributes to a score, how sure that is, and what is not known.

    Contributions are Shapley values where all subsets ran or orders were sampled, and otherwise
    main effects, which are the Shapley values where no interaction of three or more factors
    matters; `Attribution.gap` checks that. Intervals are 95 %; they cover new seeds, the `wide`
    ones new test images too; never other training images, data sets or recipes. Runs that
    diverged have no score: effects are over the finished runs, `failures` counts the others.

    Args:
        plan: of an experiment in factors. records: of its runs; others are left out.
        metric: `"accuracy"`, `"nll"` (no interval for new test images: it is not kept per image)
            or `"logit accuracy"`.
        draws: of the bootstrap. seed: of its random numbers; the same gives the same answer.

    Raises:
        InputError: a plan without factors (a path's), or an unknown metric.
    """
    runs = experiment(plan, records, metric)
    at = {factor.name: index for index, factor in enumerate(plan.factors)}
    # A plan augmented with other cells is read by the model: it uses all of them.
    sampled = plan.orders if plan.experiment == "permutations" else ()
    orders = [[at[name] for name in order] for order in sampled]
    return _attribution(plan, runs, orders, draws, np.random.default_rng(seed))


@dataclass(frozen=True, eq=False, slots=True)
class _Study:
    """What all parts of the answer are read from."""

    runs: Experiment
    cells: Cells
    basis: Basis
    noise: Noise
    lenth: Lenth | None


def _attribution(
    plan: Plan,
    runs: Experiment,
    orders: Sequence[Sequence[int]],
    draws: int,
    rng: np.random.Generator,
) -> Attribution:
    cells = gather(runs)
    read = basis(runs.factors, cells.levels, cells.rate, orders)
    noise, margins = noise_of(cells, read.pairs)
    study = _Study(runs, cells, read, noise, margins)
    measured, all_of_them = _contributions(study, draws, rng)
    found = _answers(study, measured, all_of_them)
    groups, unknown = groups_of_pairs(read.pairs)
    tested = lack_of_fit(cells, read.pairs)
    gap = _gap(study, tested)
    counts = _counts(plan, study)
    return Attribution(
        metric=runs.score,
        method=read.method,
        experiment=plan.experiment,
        matched=plan.matched,
        counts=counts,
        contributions=found,
        gap=gap,
        interactions=_interactions(study, groups, found),
        ways=_ways(study),
        rates=rate_stability(runs.factors, noise, orders, draws, rng),
        failures=failures(runs),
        noise=_noise_summary(
            study, measured, all_of_them, wild_critical(noise, measured, draws, rng)
        ),
        lack_of_fit=tested,
        notes=notes(runs, read, noise, counts, gap, groups, unknown, tested),
    )


def _images(study: _Study, weights: Floats) -> Images | None:
    return images_part(study.runs, study.cells, weights)


def _measure(study: _Study, weights: Floats) -> Contrasts:
    part = _images(study, weights)
    return contrasts(study.noise, weights, None if part is None else part.variance)


def _contributions(
    study: _Study, draws: int, rng: np.random.Generator
) -> tuple[Contrasts, Together | None]:
    """The factors that can be told, one by one and together."""
    weights = study.basis.weights[study.basis.known]
    part = _images(study, weights)
    measured = contrasts(
        study.noise, weights, None if part is None else part.variance, _by_orders(study)
    )
    return measured, together(study.noise, measured, part, draws, rng)


def _by_orders(study: _Study) -> Floats | None:
    """(k, 2) variance from sampling orders and its degrees of freedom."""
    read, cells = study.basis, study.cells
    if read.tables is None or study.noise.sd is None:
        return None
    noise = study.noise.sd**2 / cells.counts
    found = order_variance(read.tables, read.groups, cells.means, noise)
    if found is None:
        return None
    return np.column_stack([found, np.full(len(found), len(read.groups) - 1)])


def _answers(
    study: _Study, measured: Contrasts, all_of_them: Together | None
) -> tuple[Contribution, ...]:
    place = {int(j): at for at, j in enumerate(np.flatnonzero(study.basis.known))}
    fit = _least_squares(study)
    main = _main_effects(study)
    return tuple(
        _answer(study, measured, all_of_them, place[j], j, fit, main)
        if j in place
        else Contribution(name, Estimate(None), verdict=judge(None, None, study.runs.score, 0)[1])
        for j, name in enumerate(study.runs.factors)
    )


def _answer(
    study: _Study,
    measured: Contrasts,
    all_of_them: Together | None,
    at: int,
    factor: int,
    fit: tuple[Model, LeastSquares],
    main: Floats,
) -> Contribution:
    estimate = measured.estimate(at)
    narrow = all_of_them.narrow[at] if all_of_them else None
    n = int(study.cells.counts.sum())
    answer, verdict = judge(estimate.value, narrow, study.runs.score, n)
    column = fit[0].terms.index((factor,))  # a factor that can be told is a term
    return Contribution(
        name=study.runs.factors[factor],
        estimate=estimate,
        simultaneous=narrow,
        wide=all_of_them.wide[at] if all_of_them and all_of_them.wide else None,
        p=float(all_of_them.p[at]) if all_of_them else None,
        main_effect=_number(main[factor]) if study.basis.adds_up else None,
        classical=_number(2 * fit[1].classical[column]),
        hc3=_number(2 * fit[1].hc3[column]),
        answer=answer,
        verdict=verdict,
        needed=_needed(study, measured, at, answer),
    )


def _least_squares(study: _Study) -> tuple[Model, LeastSquares]:
    pairs = study.basis.pairs
    return pairs, least_squares(pairs.matrix[study.cells.index()], study.cells.values)


def _main_effects(study: _Study) -> Floats:
    """(k,) 2 beta by the two-factor model; NaN where it cannot tell."""
    pairs = study.basis.pairs
    wanted = 2 * pairs.unit([(j,) for j in range(len(study.runs.factors))])
    if not len(study.cells.counts):
        return np.full(len(wanted), np.nan)
    return np.where(pairs.estimable(wanted), pairs.weights(wanted) @ study.cells.means, np.nan)


def _needed(study: _Study, measured: Contrasts, at: int, answer: Answer) -> Needed | None:
    if answer != "not resolved" or study.noise.sd is None or len(study.cells.counts) < 2:
        return None
    single = study.noise.sd * float(np.sqrt(np.sum(np.square(measured.weights[at]))))
    effect = abs(float(measured.values[at]))
    return runs_needed(effect, single, len(study.cells.counts), len(measured.values))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _gap(study: _Study, tested: LackOfFit | None) -> Gap | None:
    total = ends(study.cells)
    if total is None or not study.basis.known.all():
        return None
    weights = np.stack([total, total - study.basis.weights.sum(axis=0)])
    if study.basis.adds_up:
        whole = _measure(study, weights[:1]).estimate(0)
        verdict = (
            "zero by construction: Shapley values of all subsets or of whole orders add up "
            "exactly, so the gap tests nothing here"
        )
        return Gap(whole, Estimate(0.0), True, verdict)
    whole = _measure(study, weights[:1]).estimate(0)
    if np.abs(weights[1]).max() < 1e-9:  # a plan of no more cells than effects
        return Gap(whole, Estimate(0.0), True, "zero by construction: the plan is saturated")
    left = _measure(study, weights[1:]).estimate(0)
    return Gap(whole, left, False, _gap_words(study, left, tested))


def _gap_words(study: _Study, left: Estimate, tested: LackOfFit | None) -> str:
    if left.interval is None:
        return "no interval: the end cells' noise is not known"
    if left.interval.excludes_zero and study.basis.method == "main effects":
        return (
            "the contributions do not add up: there are interactions, and the contributions are "
            "averages over these cells alone"
        )
    if left.interval.excludes_zero:
        return (
            "interactions of three or more factors: the contributions are averages over what else "
            "is made (main effects), and the Shapley values differ from them by this much in sum"
        )
    most = amount(max(abs(left.interval.low), abs(left.interval.high)), study.runs.score)
    if tested is not None and tested.p < CLEARLY:
        return (
            f"the contributions add up to within {most}, though single cells show interactions of "
            "three or more factors (lack of fit): between the two ends these cancel"
        )
    return f"the contributions add up to within {most}: no interactions of three or more are seen"


def _interactions(
    study: _Study, groups: Sequence[Group], found: Sequence[Contribution]
) -> tuple[Interaction, ...]:
    if not groups or not len(study.cells.counts):
        return ()
    combinations = np.stack([group.combination for group in groups])
    measured = _measure(study, study.basis.pairs.weights(combinations))
    resolved = [each.answer in ("helps", "hurts") for each in found]
    return interactions(study.runs.factors, groups, measured, resolved)


def _ways(study: _Study) -> tuple[Ways, ...]:
    names = study.runs.factors
    if not len(study.cells.counts):
        return tuple(Ways(name, None, None, None) for name in names)
    found = way_weights(study.cells, study.basis.pairs)
    known = [change for row in found for change in row if change is not None]
    if not known:
        return tuple(Ways(name, None, None, None) for name in names)
    measured = _measure(study, np.stack([change.weights for change in known]))
    place = {id(change): at for at, change in enumerate(known)}

    def way(change: Change | None) -> Way | None:
        if change is None:
            return None
        return Way(measured.estimate(place[id(change)]), change.predicted)

    return tuple(
        Ways(name, *(way(change) for change in row)) for name, row in zip(names, found, strict=True)
    )


def _noise_summary(
    study: _Study, measured: Contrasts, all_of_them: Together | None, bootstrap: float | None
) -> NoiseSummary:
    value, interval = _seeds_alike(study)
    terms: tuple[Effect, ...] = ()
    effects = np.zeros(0)
    if len(study.cells.counts) and study.cells.counts.max() == 1:
        terms, effects, _ = unreplicated_effects(study.cells, study.basis.pairs)
    scores = half_normal_scores(effects)
    names = [" x ".join(study.runs.factors[j] for j in term) for term in terms]
    return NoiseSummary(
        source=study.noise.source,
        sd=study.noise.sd,
        df=study.noise.df,
        own=measured.own,
        critical=all_of_them.critical if all_of_them else None,
        critical_bootstrap=bootstrap,
        seed_correlation=value,
        seed_correlation_interval=interval,
        lenth=study.lenth,
        half_normal=tuple(
            (name, float(effect), float(score))
            for name, effect, score in zip(names, effects, scores, strict=True)
        ),
    )


def _seeds_alike(study: _Study) -> tuple[float | None, Interval | None]:
    """The correlation of scores with the same seed, over the cells that have the plan's seeds."""
    cells = study.cells
    seeds = study.runs.seed[cells.runs]
    names, count = np.unique(seeds, return_counts=True)
    common = names[count > 0.5 * len(cells.counts)] if len(names) else names
    table = np.full((len(cells.counts), len(common)), np.nan)
    for at, seed in enumerate(common):
        here = seeds == seed
        table[cells.index()[here], at] = cells.values[here]
    table = table[~np.isnan(table).any(axis=1)]
    if table.shape[0] < 2 or table.shape[1] < 2:
        return None, None
    apart = table - table.mean(axis=1, keepdims=True)
    left = apart - apart.mean(axis=0)
    rows, many = table.shape
    return seed_correlation(
        (float(np.sum(apart**2)), rows * (many - 1)),
        (float(np.sum(left**2)), (rows - 1) * (many - 1)),
    )


def _counts(plan: Plan, study: _Study) -> Counts:
    became = study.runs.became
    return Counts(
        planned=len(became),
        finished=became.count("finished"),
        diverged=became.count("diverged"),
        failed=became.count("failed"),
        missing=became.count("missing"),
        cells=len(study.cells.counts),
        planned_cells=len(set(study.runs.cell.tolist())),
    )
