"""What cells that were not trained would say: Shapley values and increments, by all orders.

Where interactions of three or more factors matter, a fraction's main effects are averages over its
cells and not Shapley values, and a two-factor model's predictions are off by more than the noise.
`surface.all_orders` allows for such interactions: what the trained cells leave over says how large
they are, and the intervals hold what follows for the cells between.
"""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats, Levels, all_cells, codes_of, columns, effects
from nextify.findings.cells import ENOUGH_DF, Cells, Noise, seeds_alike, spread_df
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.images import images_part
from nextify.findings.measure import Contrasts
from nextify.findings.model import fitted_cells
from nextify.findings.shapley import exact_weights
from nextify.findings.surface import Surface, all_orders

_LEAST_DF = 5.0
_SAME = 1e-7


@dataclass(frozen=True, eq=False, slots=True)
class Whole:
    """All subsets of the factors that vary, some of them nuisances to be averaged over.

    Attributes:
        surface: of v factors that vary. players: (v,) which of them are not nuisances.
        fixed: (p,) the level of a player that never varies, otherwise 0.
        shares: (s, c) the mean of each trained subset as weights of the cells (learning rates are
            averaged over). df: of intervals. runs, noise: what it was learned from.
    """

    surface: Surface
    players: NDArray[np.bool_]
    fixed: NDArray[np.int8]
    shares: Floats
    df: float
    runs: FactorRuns
    noise: Noise

    def shapley(self) -> Floats:
        """(players, 2^v) weights of the subsets: Shapley values, nuisances averaged over."""
        count = int(self.players.sum())
        weights = exact_weights(all_cells(count))
        return weights[:, self._codes()] / (1 << (len(self.players) - count))

    def change(self, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Floats | None:
        """(2^v,) weights of the difference of two designs, nuisances averaged over.

        None where a factor that never varied would have to.

        Args:
            before, after: (p,) the players that are made.
        """
        both = np.where([before, after], 1, -1).astype(np.int8)
        if ((self.fixed != 0) & (both != self.fixed)).any():
            return None
        low, high = codes_of(both[:, self.fixed == 0])
        codes, averaged = self._codes(), 1 << int((~self.players).sum())
        return np.asarray(((codes == high) * 1.0 - (codes == low)) / averaged)

    def _codes(self) -> NDArray[np.int64]:
        return codes_of(self.surface.levels[:, self.players])

    def contrasts(self, weights: Floats) -> Contrasts:
        """Measure (q, 2^v) contrasts of the subsets."""
        found = self.surface.posterior(weights)
        cells, known = found.weights @ self.shares, self.noise.sd is not None
        covariance = found.covariance if known else np.full_like(found.covariance, np.nan)
        part = images_part(self.runs, self.noise.cells, cells)
        df = np.full(len(weights), self.df)
        return Contrasts(cells, found.values, covariance, df, False, part)


def whole(
    runs: FactorRuns, noise: Noise, fixed: NDArray[np.int8], players: NDArray[np.bool_]
) -> Whole | None:
    """Learn all subsets from the cells; None without a factor that varies.

    Args:
        fixed: (k,) the level of a factor that never varies, otherwise 0. players: (k,) which are
            not nuisances.
    """
    cells, varied = noise.cells, fixed == 0
    if not (varied & players).any():
        return None
    levels, shares = _subsets(cells, varied)
    if not len(levels):
        return None
    means, precision = shares @ cells.means, 1 / (np.square(shares) @ (1 / cells.counts))
    return Whole(
        surface=all_orders(levels, means, precision, _spread(noise, runs)),
        players=players[varied],
        fixed=fixed[players],
        shares=shares,
        df=_df(levels, means, spread_df(noise), int(np.sum(varied & ~players))),
        runs=runs,
        noise=noise,
    )


def _subsets(cells: Cells, varied: NDArray[np.bool_]) -> tuple[Levels, Floats]:
    """The subsets that have a score at every learning rate, and each as weights of the cells."""
    levels = cells.levels[:, varied]
    _, first, at = np.unique(codes_of(levels), return_index=True, return_inverse=True)
    shares = (at == np.arange(len(first))[:, None]).astype(np.float64)
    kept = shares.sum(axis=1) == len(np.unique(cells.rate))
    return levels[first][kept], (shares / shares.sum(axis=1, keepdims=True))[kept]


def _spread(noise: Noise, runs: FactorRuns) -> float | None:
    """Of single runs; without what a seed does to all cells alike, where it clearly does something:
    that shifts no difference of cells, and taken for noise it would hide interactions."""
    found = seeds_alike(noise.cells, runs)
    _, alike = found.correlation
    is_clear = noise.sd is not None and alike is not None and alike.low > 0
    return found.residual_sd if is_clear and found.df_residual >= ENOUGH_DF else noise.sd


def _df(levels: Levels, means: Floats, noise: float, crossed: int) -> float:
    """How well the size of higher interactions is known, in degrees of freedom.

    Of the contrasts that two-factor models leave over, Satterthwaite's formula in Welch's unbiased
    form: as many as there are if they are like draws of one normal distribution, few if one of them
    is most of what is left.
    """
    kept = fitted_cells(levels, crossed)
    here, k = levels[kept], levels.shape[1]
    if k < 3:
        return max(noise, 1.0)
    known = columns(here, effects(k))
    left = columns(here, effects(k, 4)[len(effects(k)) :])
    left = left - known @ (np.linalg.pinv(known) @ left)
    if not left.size or np.abs(left).max() < _SAME:
        return max(noise, 1.0)
    basis, upper, _ = scipy.linalg.qr(left, mode="economic", pivoting=True)
    contrasts = (basis.T @ means[kept])[np.abs(np.diag(upper)) > _SAME * len(here)]
    squares = np.square(contrasts)
    found = 3 * squares.sum() ** 2 / max(np.sum(squares**2), 1e-300) - 2
    return float(min(max(noise, 1.0), np.clip(found, _LEAST_DF, max(len(squares), _LEAST_DF))))
