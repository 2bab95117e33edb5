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

Both are answered for new seeds on the same test images and, where it is known which images each run
classified correctly, for new test images, too: a network is chosen for images to come. The images'
part of a mean's or a difference's variance (`images.image_variances`) comes in with the same kind
of quantile as the seeds' part, so that these intervals hold together as well.

The model is that of `blocks`: normal errors, seeds as blocks, one spread pooled over the designs.
A design whose spread is clearly larger than that of the others (one that trains badly, often) keeps
its own, so that it does not blur the comparison of the others; its differences are then Welch's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL, Interval, around
from nextify.findings.blocks import CLEARLY, LEAST_DF, NO_SPREAD, BlockModel, fit_blocks
from nextify.findings.images import image_variances, widened

MANY = 1e6  # degrees of freedom of what is estimated from all test images: as good as known
_NODES = 128


@lru_cache(maxsize=4096)
def largest_t(count: int, df: float, level: float = LEVEL) -> float:
    """How many standard errors intervals of a level reach that hold for `count` independent means
    whose spread is pooled, with `df` degrees of freedom.

    >>> round(largest_t(1, 10), 3), round(largest_t(5, 10), 2)
    (2.228, 3.1)
    """

    def held(reach: float, spread: Floats) -> Floats:
        return np.asarray((2 * scipy.stats.norm.cdf(reach * spread) - 1) ** count)

    return _quantile(held, df, level)


@lru_cache(maxsize=4096)
def dunnett(count: int, df: float, level: float = LEVEL) -> float:
    """How many standard errors of a difference one-sided bounds of a level reach that hold for
    `count` differences to one design, all with equally many runs (Dunnett 1955).

    >>> round(dunnett(1, 10), 3), round(dunnett(4, 20), 2)
    (1.812, 2.3)
    """
    at, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    weight = weight / weight.sum()

    def held(reach: float, spread: Floats) -> Floats:
        inside = scipy.stats.norm.cdf(np.sqrt(2) * reach * spread[:, None] + at)
        return np.asarray(inside**count @ weight)

    return _quantile(held, df, level)


def _quantile(held: Callable[[float, Floats], Floats], df: float, level: float) -> float:
    """The reach at which the chance, averaged over the estimated spread, is the level."""
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    spread = np.sqrt(scipy.stats.chi2.ppf((at + 1) / 2, df) / df)
    return float(
        scipy.optimize.brentq(lambda c: held(c, spread) @ weight / 2 - level, 0.01, 1e4, xtol=1e-6)
    )


@dataclass(frozen=True, eq=False)
class Best:
    """Several designs compared; k of them.

    Attributes:
        means: (k,) NaN without a score. counts: (k,) of scores.
        variances, df: (k,) of the means over new seeds; NaN where nothing is known.
        apart: indices of the designs whose spread is clearly larger than that of the others, and
            their own. model: of the others.
        runners: indices of the designs in the running.
        images: (k, k) the test images' part, as `image_variances` finds it; None where it is not
            known which images were classified correctly.
        level: of all intervals.
    """

    means: Floats
    counts: NDArray[np.int64]
    variances: Floats
    df: Floats
    apart: tuple[int, ...]
    model: BlockModel
    runners: tuple[int, ...]
    images: Floats | None
    level: float = LEVEL

    @property
    def winner(self) -> int | None:
        """The design with the highest mean among those in the running; None without a score."""
        return max(self.runners, key=lambda at: float(self.means[at]), default=None)

    @cached_property
    def intervals(self) -> tuple[Interval | None, ...]:
        """For new seeds, all holding together; None with one seed, or where nothing varies."""
        return tuple(_interval(self, at) for at in range(len(self.means)))

    @cached_property
    def wide(self) -> tuple[Interval | None, ...]:
        """The same for new seeds and new test images; None where the images' part is not known."""
        return tuple(_interval(self, at, wide=True) for at in range(len(self.means)))

    @cached_property
    def behind(self) -> tuple[Interval | None, ...]:
        """Each design's mean minus that of the best other, both in the running; None for those
        that are not, and where there is no spread to judge by."""
        return tuple(_behind(self, at) for at in range(len(self.means)))

    @cached_property
    def behind_wide(self) -> tuple[Interval | None, ...]:
        """The same for new seeds and new test images."""
        return tuple(_behind(self, at, wide=True) for at in range(len(self.means)))

    @property
    def margin(self) -> float | None:
        """How far the winner may lie behind the best of the others, with 95 % confidence."""
        return None if self.winner is None else _margin(self.behind[self.winner])

    @property
    def margin_wide(self) -> float | None:
        """The same for new seeds and new test images."""
        return None if self.winner is None else _margin(self.behind_wide[self.winner])

    def may_be_best(self, at: int) -> bool:
        """Whether a design in the running cannot be told apart from the best: on new test images,
        too, where these are known."""
        interval = self.behind_wide[at] or self.behind[at]
        return interval is None or interval.high > 0


def compare_with_best(
    scores: Floats,
    running: Sequence[bool],
    correct: NDArray[np.generic] | None = None,
    level: float = LEVEL,
) -> Best:
    """Compare designs by their scores.

    >>> scores = np.array([[0.80, 0.82, 0.81], [0.90, 0.91, 0.93], [0.90, 0.92, 0.92]])
    >>> found = compare_with_best(scores, [True, True, True])
    >>> found.winner, [found.may_be_best(at) for at in range(3)]
    (1, [False, True, True])

    Args:
        scores: (k, seeds), higher is better; NaN where a run has none.
        running: which designs may win; of these only those with a score do.
        correct: (k, seeds, images), where that is known.
        level: of all intervals.
    """
    has = ~np.isnan(scores)
    counts = np.asarray(np.sum(has, axis=1))
    means = np.where(counts > 0, np.nansum(scores, axis=1) / np.maximum(counts, 1), np.nan)
    squares = np.nansum(np.square(scores - means[:, None]), axis=1)
    apart = _apart(squares, counts - 1)
    own = np.isin(np.arange(len(scores)), apart)
    model = fit_blocks(np.where(own[:, None], np.nan, scores))
    pooled = np.nan if model.within_sd is None else model.within_sd**2
    variances = np.where(own, squares / np.maximum(counts - 1, 1), pooled) / np.maximum(counts, 1)
    return Best(
        means=means,
        counts=counts,
        variances=np.where(counts > 0, variances, np.nan),
        df=np.where(own, counts - 1, round(model.within_df, 1)),
        apart=apart,
        model=model,
        runners=tuple(at for at in np.flatnonzero(counts).tolist() if running[at]),
        images=None if correct is None else image_variances(correct, has),
        level=level,
    )


def _apart(squares: Floats, df: NDArray[np.int64]) -> tuple[int, ...]:
    """Designs whose spread is clearly larger than that of the others, the largest first: by F tests
    with Bonferroni's correction, one design after another."""
    left = [at for at in range(len(squares)) if df[at] > 0]
    found: list[int] = []
    while len(left) > 1:
        at = max(left, key=lambda each: float(squares[each] / df[each]))
        others = [other for other in left if other != at]
        rest, rest_df = squares[others].sum(), df[others].sum()
        if rest_df < LEAST_DF or rest < NO_SPREAD:
            break
        ratio = (squares[at] / df[at]) / (rest / rest_df)
        if scipy.stats.f.sf(ratio, df[at], rest_df) * len(left) >= CLEARLY:
            break
        left.remove(at)
        found.append(at)
    return tuple(found)


def _interval(of: Best, at: int, *, wide: bool = False) -> Interval | None:
    if np.isnan(of.variances[at]) or (wide and of.images is None):
        return None
    count = int(np.sum(of.counts > 0))
    half = float(largest_t(count, float(of.df[at]), of.level) * np.sqrt(of.variances[at]))
    if wide and of.images is not None:
        half = widened(half, float(of.images[at, at]), largest_t(count, MANY, of.level))
    return around(float(of.means[at]), half)


def _behind(of: Best, at: int, *, wide: bool = False) -> Interval | None:
    others = [other for other in of.runners if other != at]
    every = [_ahead(of, other, at, len(others), wide=wide) for other in others]
    known = [each for each in every if each]
    if at not in of.runners or not others or len(known) < len(others):
        return None
    return Interval(min(0.0, *(e.low for e in known)), max(0.0, min(e.high for e in known)))


def _ahead(of: Best, before: int, after: int, count: int, *, wide: bool) -> Interval | None:
    """The difference of two designs, by the one-sided bounds that hold for `count` of them."""
    found = _difference(of, before, after)
    if found is None or (wide and of.images is None):
        return None
    value, error, df = found
    half = dunnett(count, df, of.level) * error
    if wide and of.images is not None:
        half = widened(half, float(of.images[before, after]), dunnett(count, MANY, of.level))
    return None if np.isnan(half) else around(value, half)


def _margin(behind: Interval | None) -> float | None:
    return None if behind is None else 0.0 - behind.low


def _difference(of: Best, before: int, after: int) -> tuple[float, float, float] | None:
    """The difference of two designs, its standard error and degrees of freedom: seeds paired where
    the spread is pooled, Welch's otherwise. None where they are not known."""
    if before not in of.apart and after not in of.apart:
        found = of.model.difference(before, after)
        if found is None or of.model.residual_sd is None:
            return None
        error = of.model.residual_sd * np.sqrt(found[1])
        return found[0], float(error), float(of.model.df_residual)
    pair = [before, after]
    variance = of.variances[pair].sum()
    if np.isnan(variance):
        return None
    df = variance**2 / np.sum(of.variances[pair] ** 2 / of.df[pair])
    return float(of.means[after] - of.means[before]), float(np.sqrt(variance)), round(float(df), 1)
