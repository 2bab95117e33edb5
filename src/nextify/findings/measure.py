"""From weights of cells to numbers with intervals: one contrast by itself, several together."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Effect, Floats
from nextify.experiments.intervals import LEVEL, Interval, around, student
from nextify.findings.answers import Estimate
from nextify.findings.blocks import NO_SPREAD
from nextify.findings.cells import ENOUGH_DF, Cells, Noise, errors, pure_error
from nextify.findings.images import Images, widened
from nextify.findings.largest import Largest, largest
from nextify.findings.lenth import lenth
from nextify.findings.model import Model, lack_of_fit, least_squares

_LEAST_RESIDUAL_DF = 3
_MANY = 16  # cells of several runs, which show by themselves how large the noise is
_SURELY = 0.001  # a chance of noise alone to leave over so much
_LEAST = 1e-300
_ROUNDING = 1e-9


def noise_of(cells: Cells, pairs: Model, may_be_exact: bool = False) -> Noise:
    """The best estimate of the run-to-run spread that the runs allow.

    Repeated runs, if they leave 8 degrees of freedom or more and are in a fifth of the cells: they
    assume nothing. Also if they are in 16 cells of many and show that the two-factor model leaves
    out more than noise. Otherwise what that model leaves over, otherwise Lenth's pseudo standard
    error.

    Args:
        may_be_exact: the score may follow from the design alone, as a probe's value may: then
            repeated runs that are all equal say that there is no noise.
    """
    if may_be_exact and _is_exact(cells):
        return Noise("exact", None, 0.0, cells)
    pure, several = pure_error(cells), int(np.sum(cells.df > 0))
    repeated = int(cells.df.sum()) if len(cells.counts) else 0
    if not len(cells.counts) or (repeated >= ENOUGH_DF and several >= 0.2 * len(cells.counts)):
        return pure  # without a spread where all are equal, which says that something is wrong
    tested = lack_of_fit(cells, pairs) if several >= _MANY else None
    if tested is not None and tested.p < _SURELY:
        return pure
    fit = least_squares(pairs.matrix[cells.index()], cells.values)
    if fit.df >= max(_LEAST_RESIDUAL_DF, pure.df + 1) and fit.squares > NO_SPREAD:
        return Noise("residual", float(np.sqrt(fit.squares / fit.df)), float(fit.df), cells)
    if cells.df.any():  # repeated runs that are all equal say that something is wrong
        return pure
    _, found, scale = unreplicated_effects(cells, pairs)
    margins = lenth(found)
    if margins is None:
        return pure
    return Noise("Lenth", margins.error / scale, margins.df, cells, margins)


def noise_of_repeated(noise: Noise) -> Noise:
    """The same, but of the repeated cells where 16 are: what a two-factor model leaves over holds
    interactions, which a model that looks for these would take for noise."""
    pure = pure_error(noise.cells)
    enough = pure.sd is not None and np.sum(noise.cells.df > 0) >= _MANY
    return pure if enough and noise.source == "residual" else noise


def _is_exact(cells: Cells) -> bool:
    """Whether enough runs repeat cells, and give the same to the last bit."""
    enough = bool(np.all(cells.df > 0)) or int(cells.df.sum()) >= ENOUGH_DF
    first = np.repeat(cells.values[cells.starts], cells.counts)
    return len(cells.counts) > 0 and enough and bool(np.all(cells.values == first))


def unreplicated_effects(cells: Cells, pairs: Model) -> tuple[tuple[Effect, ...], Floats, float]:
    """Distinct effects (2 beta) of cells of one run each, for Lenth's method.

    Of effects that cannot be told apart (equal columns up to sign) the first stands for the sum.

    Returns:
        The terms, their effects, all brought to the variance of a balanced plan's, and that
        standard error for runs of standard deviation 1.
    """
    count = len(pairs.terms)
    gram = pairs.matrix[:, :count].T @ pairs.matrix[:, :count]
    size = np.sqrt(np.diag(gram))
    same = np.abs(gram) > (1 - 1e-9) * np.outer(size, size)
    first = [at for at in range(1, count) if not same[at, :at].any()]
    matrix = pairs.matrix[:, [0, *first, *range(count, pairs.matrix.shape[1])]]
    if not first or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        return (), np.zeros(0), 1.0
    inverse = np.linalg.pinv(matrix)[1 : len(first) + 1]
    plain = 2 / np.sqrt(len(cells.counts))
    scaled = 2 * (inverse @ cells.means) * plain / (2 * np.sqrt(np.sum(inverse**2, axis=1)))
    return tuple(pairs.terms[at] for at in first), scaled, float(plain)


@dataclass(frozen=True, eq=False, slots=True)
class Contrasts:
    """Contrasts of cells, measured one by one; q of them.

    Attributes:
        weights: (q, c). values, df: (q,).
        covariance: (q, q) of what is not known of them, over new seeds; NaN where nothing is.
        own: whether each cell kept its own spread.
        part: of the test images in them; None without per-image results.
        exact: there is no noise.
    """

    weights: Floats
    values: Floats
    covariance: Floats
    df: Floats
    own: bool
    part: Images | None
    exact: bool = False

    @property
    def errors(self) -> Floats:
        """(q,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def estimate(self, at: int) -> Estimate:
        """One of them, with its intervals."""
        value, error, df = (float(v[at]) for v in (self.values, self.errors, self.df))
        if self.exact:
            return Estimate(value, 0.0, None, Interval(value, value), None, float(value == 0))
        if not error > 0:
            return Estimate(value)
        half = student(df) * error
        wide = None
        if self.part is not None:
            wide = around(value, widened(half, float(self.part.variance[at])))
        p = float(2 * scipy.stats.t.sf(abs(value) / error, df))
        return Estimate(value, error, df, around(value, half), wide, p)

    def all_estimates(self) -> tuple[Estimate, ...]:
        """Every one of them."""
        return tuple(self.estimate(at) for at in range(len(self.values)))

    def estimates(self, known: NDArray[np.bool_]) -> tuple[Estimate, ...]:
        """One a factor, where the contrasts are those of the known ones."""
        rows = iter(range(len(self.values)))
        return tuple(self.estimate(next(rows)) if on else Estimate(None) for on in known)


def contrasts(
    noise: Noise, weights: Floats, part: Images | None = None, more: Floats | None = None
) -> Contrasts:
    """Measure contrasts.

    They correlate as the plan has it for equally noisy runs. With the correlation found in the
    runs, the largest |t| is too small (docs/attribution.md).

    Args:
        weights: (q, c). part: the test images' part in them.
        more: (q, 2) variance from elsewhere (sampled orders) and its degrees of freedom.
    """
    size, df, own = errors(noise, weights)
    if more is not None:
        both = size**2 + more[:, 0]
        df = both**2 / (size**4 / df + more[:, 0] ** 2 / more[:, 1])
        size, own = np.sqrt(both), False
    covariance = (weights / noise.cells.counts) @ weights.T
    scale = size / np.sqrt(np.maximum(np.diag(covariance), _LEAST))
    covariance = covariance * np.outer(scale, scale)
    values, exact = weights @ noise.cells.means, noise.source == "exact"
    if exact:  # what differs from zero by rounding is zero
        values[np.abs(values) < _ROUNDING * (np.abs(weights) @ np.abs(noise.cells.means))] = 0.0
    return Contrasts(weights, values, covariance, df, own, part, exact)


@dataclass(frozen=True, eq=False, slots=True)
class Together:
    """Intervals of q contrasts that hold all at once, usually 95 times in 100.

    Attributes:
        narrow, wide: new seeds; new seeds and new test images. None where they are not known.
        critical: the multiple of the standard errors that `narrow` reaches.
        t: values over standard errors. largest: the distribution of the largest of these.
    """

    narrow: tuple[Interval | None, ...]
    wide: tuple[Interval | None, ...]
    critical: float | None
    t: Floats
    largest: Largest | None

    @property
    def p(self) -> tuple[float | None, ...]:
        """Adjusted, for new seeds."""
        of = self.largest
        return tuple(None if of is None else of.above(abs(each)) for each in self.t.tolist())


def together(measured: Contrasts, level: float = LEVEL) -> Together:
    """Simultaneous intervals by the largest |t|; without any where nothing is known of the noise,
    or at level 1.

    The largest |t| is the multivariate t's, with the fewest degrees of freedom of any contrast.

    Args:
        level: how often they all hold.
    """
    size = measured.errors
    nothing = (None,) * len(size)
    if measured.exact and level < 1:
        known = tuple(Interval(value, value) for value in measured.values.tolist())
        return Together(known, nothing, None, measured.values, None)
    if not len(size) or not np.all(size > 0) or level >= 1:
        return Together(nothing, nothing, None, measured.values, None)
    part, df = measured.part, float(measured.df.min())
    of = largest(measured.covariance, df)
    reach = of.reach(level)
    wide: tuple[Interval | None, ...] = nothing
    if part is not None:
        # Satterthwaite's degrees of freedom: images are too many to count.
        total = size**2 + part.variance
        both = largest(
            measured.covariance + part.covariance, float((df * (total / size**2) ** 2).min())
        )
        # Never narrower than for new seeds alone.
        half = np.maximum(both.reach(level) * np.sqrt(total), reach * size)
        wide = _around(measured.values, half)
    return Together(
        narrow=_around(measured.values, reach * size),
        wide=wide,
        critical=reach,
        t=measured.values / size,
        largest=of,
    )


def _around(values: Floats, half: Floats) -> tuple[Interval, ...]:
    return tuple(around(float(v), float(h)) for v, h in zip(values, half, strict=True))
