"""Whether the contributions, and their order, hold at other learning rates."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL
from nextify.findings.answers import Ranks, RateContributions, RateStability
from nextify.findings.basis import Basis, basis
from nextify.findings.blocks import NO_SPREAD
from nextify.findings.cells import Noise
from nextify.findings.measure import contrasts, together


def rate_stability(
    noise: Noise, orders: Sequence[Sequence[int]], level: float = LEVEL
) -> RateStability | None:
    """Contributions at each learning rate; None where there is only one."""
    rates = np.unique(noise.cells.rate)
    if len(rates) < 2:
        return None
    found = [_at(noise, rate, orders) for rate in rates.tolist()]
    (_, first, low), (_, last, high) = found[0], found[-1]
    ranks = (_ranks(noise, one, other) for one, other in combinations(found, 2))
    known = first.known & last.known
    change = contrasts(noise, (high - low)[known])
    intervals = iter(together(change, level).narrow)
    return RateStability(
        rates=tuple(
            RateContributions(rate, contrasts(noise, weights[each.known]).estimates(each.known))
            for rate, each, weights in found
        ),
        ranks=tuple(filter(None, ranks)),
        changes=change.estimates(known),
        together=tuple(next(intervals) if on else None for on in known),
    )


_AtRate = tuple[float, Basis, Floats]


def _at(noise: Noise, rate: float, orders: Sequence[Sequence[int]]) -> _AtRate:
    """A rate, the basis of its cells, and their weights among all cells."""
    cells = noise.cells
    here = np.flatnonzero(cells.rate == rate)
    each = basis(cells.levels[here], cells.rate[here], orders, cells.crossed)
    weights = np.zeros((len(each.known), len(cells.counts)))
    weights[:, here] = each.weights
    return rate, each, weights


def _ranks(noise: Noise, low: _AtRate, high: _AtRate) -> Ranks | None:
    known = low[1].known & high[1].known
    if known.sum() < 3:
        return None
    one, other = (weights[known] @ noise.cells.means for _, _, weights in (low, high))
    if min(np.var(one), np.var(other)) < NO_SPREAD:  # all contributions equal
        return None
    kendall = float(scipy.stats.kendalltau(one, other).statistic)
    spearman = float(scipy.stats.spearmanr(one, other).statistic)
    return Ranks(low[0], high[0], kendall, spearman, int(known.sum()))
