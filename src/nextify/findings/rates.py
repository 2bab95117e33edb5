"""Whether the contributions, and their order, hold at other learning rates."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.findings.answers import (
    Estimate,
    Ranks,
    RateContributions,
    RateStability,
)
from nextify.findings.basis import Basis, basis
from nextify.findings.blocks import Interval
from nextify.findings.cells import Noise
from nextify.findings.measure import contrasts, together


def rate_stability(
    names: Sequence[str],
    noise: Noise,
    orders: Sequence[Sequence[int]],
    draws: int,
    rng: np.random.Generator,
) -> RateStability | None:
    """Contributions at each learning rate; None where there is only one."""
    cells = noise.cells
    rates = np.unique(cells.rate)
    if len(rates) < 2:
        return None
    found = [_at(names, noise, float(rate), orders) for rate in rates]
    changes, intervals = _changes(found, noise, draws, rng)
    return RateStability(
        rates=tuple(
            RateContributions(float(rate), _estimates(noise, each, weights))
            for rate, (each, weights) in zip(rates, found, strict=True)
        ),
        ranks=tuple(
            ranks
            for low, high in combinations(range(len(rates)), 2)
            if (ranks := _ranks(noise, found, rates, low, high)) is not None
        ),
        changes=changes,
        together=intervals,
    )


def _at(
    names: Sequence[str], noise: Noise, rate: float, orders: Sequence[Sequence[int]]
) -> tuple[Basis, Floats]:
    """The basis of one rate's cells, and its weights among all cells."""
    cells = noise.cells
    here = np.flatnonzero(cells.rate == rate)
    each = basis(names, cells.levels[here], cells.rate[here], orders)
    weights = np.zeros((len(names), len(cells.counts)))
    weights[:, here] = each.weights
    return each, weights


def _estimates(noise: Noise, each: Basis, weights: Floats) -> tuple[Estimate, ...]:
    measured = contrasts(noise, weights[each.known], None)
    told = iter(range(len(measured.values)))
    return tuple(measured.estimate(next(told)) if on else Estimate(None) for on in each.known)


def _changes(
    found: Sequence[tuple[Basis, Floats]], noise: Noise, draws: int, rng: np.random.Generator
) -> tuple[tuple[Estimate, ...], tuple[Interval | None, ...]]:
    """The contribution at the last rate minus that at the first."""
    (first, low), (last, high) = found[0], found[-1]
    known = first.known & last.known
    measured = contrasts(noise, (high - low)[known], None)
    all_of_them = together(noise, measured, None, draws, rng)
    told = iter(range(len(measured.values)))
    changes, intervals = [], []
    for on in known:
        at = next(told) if on else None
        changes.append(Estimate(None) if at is None else measured.estimate(at))
        intervals.append(None if at is None or not all_of_them else all_of_them.narrow[at])
    return tuple(changes), tuple(intervals)


def _ranks(
    noise: Noise, found: Sequence[tuple[Basis, Floats]], rates: Floats, low: int, high: int
) -> Ranks | None:
    known = found[low][0].known & found[high][0].known
    if known.sum() < 3:
        return None
    one, other = (found[at][1][known] @ noise.cells.means for at in (low, high))
    kendall = float(scipy.stats.kendalltau(one, other).statistic)
    spearman = float(scipy.stats.spearmanr(one, other).statistic)
    if not np.isfinite([kendall, spearman]).all():  # all contributions equal
        return None
    return Ranks(float(rates[low]), float(rates[high]), kendall, spearman, int(known.sum()))
