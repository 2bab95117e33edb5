"""What the noise looks like: how large, shared between cells or not, equal in all cells or not."""

from dataclasses import dataclass

import numpy as np
import scipy

from nextify.experiments.intervals import LEVEL, Interval
from nextify.findings.blocks import NO_SPREAD, BlockModel

_LEAST_DF = 3  # of the other cells, for a comparison of spreads to mean anything
_CLEARLY = 0.05


@dataclass(frozen=True, slots=True)
class Uneven:
    """The cell whose spread stands out most.

    Attributes:
        cell: its index. sd: its standard deviation over seeds, the seeds' common part taken out.
        others: the same, pooled over all other cells.
        p: chance of a spread as far above the others in at least one cell, were all equal
            (Bonferroni over the cells).
    """

    cell: int
    sd: float
    others: float
    p: float

    @property
    def clearly(self) -> bool:
        """Whether equal spread is hard to believe (p below 0.05)."""
        return self.p < _CLEARLY


@dataclass(frozen=True, slots=True)
class Spread:
    """The noise of a study, in the units of the score.

    Attributes:
        residual_sd, residual_df: pooled over cells, the seeds' common part taken out; what the
            intervals of differences rest on. None with one seed or one cell.
        within_sd, within_df: of single runs about their cell's mean; what the intervals of
            means rest on. None with one seed.
        correlation, correlation_interval: between two cells' scores with the same seed
            (intraclass; from -1/(k - 1) to 1). Zero: pairing seeds gains nothing.
        uneven: the cell with the most conspicuous spread; None where n does not allow a check.
    """

    residual_sd: float | None
    residual_df: int
    within_sd: float | None
    within_df: float
    correlation: float | None
    correlation_interval: Interval | None
    uneven: Uneven | None

    @property
    def pairing(self) -> float | None:
        """Width of a paired interval over that of an unpaired one, at equal quantiles."""
        if self.residual_sd is None or self.within_sd is None:
            return None
        return self.residual_sd / self.within_sd


def spread(model: BlockModel) -> Spread:
    """Describe the noise that a fit found."""
    correlation, interval = seed_correlation(
        (model.ss_within, model.df_within), (model.ss_residual, model.df_residual)
    )
    return Spread(
        residual_sd=model.residual_sd,
        residual_df=model.df_residual,
        within_sd=model.within_sd,
        within_df=model.within_df,
        correlation=correlation,
        correlation_interval=interval,
        uneven=uneven_spread(model),
    )


def seed_correlation(
    within: tuple[float, int], residual: tuple[float, int]
) -> tuple[float | None, Interval | None]:
    """Intraclass correlation of a seed's scores, with its interval from the F distribution.

    Args:
        within: sum of squares and degrees of freedom of the scores about their cell's mean.
        residual: the same with the seeds' common part taken out.
    """
    df_blocks = within[1] - residual[1]
    if df_blocks < 1 or residual[1] < 1 or residual[0] < NO_SPREAD:
        return None, None
    ratio = (within[0] - residual[0]) / df_blocks / (residual[0] / residual[1])
    per_block = within[1] / df_blocks  # cells in a block, also where some are missing
    # The ratio over its quantiles bounds 1 + per_block * (variance of seeds) / sigma^2.
    tails = scipy.stats.f.ppf([(1 + LEVEL) / 2, (1 - LEVEL) / 2], df_blocks, residual[1])
    low, high = (_as_correlation(ratio / tail, per_block) for tail in tails)
    return _as_correlation(ratio, per_block), Interval(low, high)


def _as_correlation(ratio: float, per_block: float) -> float:
    return float((ratio - 1) / (ratio - 1 + per_block))


def uneven_spread(model: BlockModel) -> Uneven | None:
    """Compare each cell's variance with that of all others, and keep the most conspicuous.

    An F test per cell with Bonferroni's correction: Cochran's C test for unequal n. It is aimed
    at the case that occurs, one cell (another recipe, a step close to divergence) noisier than
    the rest. Levene's test is of no use here: at n = 2 it is undefined. None where the other
    cells leave fewer than 3 degrees of freedom. At n = 2 with 15 cells, a
    standard deviation five times the others' is found about half of the time; less goes unnoticed.
    """
    found: list[Uneven] = []
    squares = np.nansum(model.residuals**2, axis=1)
    df = model.counts - 1
    for cell in np.flatnonzero(df > 0):
        rest = model.df_residual - int(df[cell])
        others = model.ss_residual - squares[cell]
        if rest < _LEAST_DF or model.residual_sd is None or others <= 0:
            continue
        ratio = (squares[cell] / df[cell]) / (others / rest)
        p = min(1.0, float(scipy.stats.f.sf(ratio, df[cell], rest)) * int(np.sum(df > 0)))
        sds = np.sqrt([squares[cell] / df[cell], others / rest])
        found.append(Uneven(int(cell), float(sds[0]), float(sds[1]), p))
    return min(found, key=lambda each: (each.p, -each.sd), default=None)
