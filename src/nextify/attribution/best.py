"""Which of several designs is the best: intervals that hold for all of them together.

Designs that were chosen by other runs are trained with fresh seeds, the same for all. Two questions
are answered at once, each with 95 % confidence for all designs together, so that the answer also
holds for the one that came out best:

- What is each design's mean? Intervals by the largest |t| of k independent means (the studentized
  maximum modulus); shared seeds make the means alike, which only makes the intervals safer
  (Sidak 1967).
- How far is each from the best of the others? Multiple comparisons with the best (Hsu 1984, Annals
  of Statistics 12), by Dunnett's one-sided quantile. A design whose interval ends at or below zero
  is not the best; the others cannot be told apart.

The model is that of `blocks`: normal errors of equal spread in all designs, seeds as blocks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from nextify.attribution.blocks import LEVEL, BlockModel, Floats, Interval, around, fit

_NODES = 128


@lru_cache(maxsize=4096)
def largest_t(count: int, df: float) -> float:
    """How many standard errors 95 % intervals reach that hold for `count` independent means whose
    spread is pooled, with `df` degrees of freedom.

    >>> round(largest_t(1, 10), 3), round(largest_t(5, 10), 2)
    (2.228, 3.1)
    """

    def held(reach: float, spread: Floats) -> Floats:
        return np.asarray((2 * stats.norm.cdf(reach * spread) - 1) ** count)

    return _quantile(held, df)


@lru_cache(maxsize=4096)
def dunnett(count: int, df: float) -> float:
    """How many standard errors of a difference one-sided 95 % bounds reach that hold for `count`
    differences to one design, all with equally many runs (Dunnett 1955).

    >>> round(dunnett(1, 10), 3), round(dunnett(4, 20), 2)
    (1.812, 2.3)
    """
    at, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    weight = weight / weight.sum()

    def held(reach: float, spread: Floats) -> Floats:
        inside = stats.norm.cdf(np.sqrt(2) * reach * spread[:, None] + at)
        return np.asarray(inside**count @ weight)

    return _quantile(held, df)


def _quantile(held: Callable[[float, Floats], Floats], df: float) -> float:
    """The reach at which the chance, averaged over the estimated spread, is 95 %."""
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    spread = np.sqrt(stats.chi2.ppf((at + 1) / 2, df) / df)
    return float(
        optimize.brentq(lambda c: held(c, spread) @ weight / 2 - LEVEL, 0.01, 1e4, xtol=1e-6)
    )


@dataclass(frozen=True, eq=False, slots=True)
class Best:
    """Several designs compared.

    Attributes:
        winner: index of the design with the highest mean among those in the running; None where
            none has a score.
        means: (k,) NaN without a score. intervals: for new seeds, all holding together; None with
            one seed, or where nothing varies.
        behind: each design's mean minus that of the best other, both in the running; None for
            those that are not, and where there is no spread to judge by.
        model: the fit that they were read from.
    """

    winner: int | None
    means: Floats
    intervals: tuple[Interval | None, ...]
    behind: tuple[Interval | None, ...]
    model: BlockModel

    @property
    def margin(self) -> float | None:
        """How far the winner may lie behind the best of the others, with 95 % confidence."""
        own = None if self.winner is None else self.behind[self.winner]
        return None if own is None else -own.low

    def may_be_best(self, at: int) -> bool:
        """Whether a design in the running cannot be told apart from the best."""
        interval = self.behind[at]
        return interval is None or interval.high > 0


def compare_with_best(scores: Floats, running: Sequence[bool]) -> Best:
    """Compare designs by their scores.

    >>> scores = np.array([[0.80, 0.82, 0.81], [0.90, 0.91, 0.93], [0.90, 0.92, 0.92]])
    >>> found = compare_with_best(scores, [True, True, True])
    >>> found.winner, [found.may_be_best(at) for at in range(3)]
    (1, [False, True, True])

    Args:
        scores: (k, seeds), higher is better; NaN where a run has none.
        running: which designs may win; of these only those with a score do.
    """
    model = fit(scores)
    known = model.counts > 0
    means = np.where(known, np.nansum(scores, axis=1) / np.maximum(model.counts, 1), np.nan)
    runners = [at for at in range(len(scores)) if running[at] and known[at]]
    return Best(
        winner=max(runners, key=lambda at: float(means[at]), default=None),
        means=means,
        intervals=_intervals(model, means),
        behind=tuple(_behind(model, runners, at) for at in range(len(scores))),
        model=model,
    )


def _intervals(model: BlockModel, means: Floats) -> tuple[Interval | None, ...]:
    sd, counts = model.within_sd, model.counts
    if sd is None:
        return (None,) * len(means)
    reach = sd * largest_t(int(np.sum(counts > 0)), round(model.within_df, 2))
    return tuple(
        around(float(mean), float(reach / np.sqrt(n))) if n else None
        for mean, n in zip(means, counts, strict=True)
    )


def _behind(model: BlockModel, runners: Sequence[int], at: int) -> Interval | None:
    others = [other for other in runners if other != at]
    if at not in runners or not others or model.residual_sd is None:
        return None
    reach = dunnett(len(others), float(model.df_residual)) * model.residual_sd
    low, high = [], []
    for other in others:
        found = model.difference(other, at)
        if found is None:  # they share no seed, not even by way of others
            return None
        value, variance = found
        low.append(value - reach * np.sqrt(variance))
        high.append(value + reach * np.sqrt(variance))
    return Interval(min(0.0, float(min(low))), max(0.0, float(min(high))))
