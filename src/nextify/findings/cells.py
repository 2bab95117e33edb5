"""Runs gathered into cells, and what the spread of the runs says about contrasts of cells.

Everything that attribution estimates is a *contrast*: a weighted sum of the cells' means, each
cell counting once however many runs it has. A contrast's variance over new seeds is then

    sum over cells of weight^2 sigma_cell^2 / n_cell

whatever the true effects are: no model of them enters the error bars, only the runs that repeat a
cell (the pure error). Runs that were added to some cells sharpen the contrasts and shift none.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.findings.blocks import NO_SPREAD, BlockModel, fit_blocks
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.lenth import Lenth

Source = Literal["pure error", "exact", "residual", "Lenth", "none"]

MANY_DF = 30  # from here on, cells show whether their spreads differ
ENOUGH_DF = 8  # with fewer degrees of freedom, spreads are pooled over cells


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """The cells with at least one score; c cells, n runs with a score, sorted by cell.

    Attributes:
        levels: (c, k) of +1 and -1; the last `crossed` columns are no choices. rate: (c,) of the
            learning rate.
        counts: (c,) scores in a cell. means: (c,) of the scores.
        squares: (c,) sum of squares of the scores about their cell's mean.
        runs: (n,) indices into the experiment's runs. starts: (c,) where a cell's runs begin.
        values: (n,) scores.
    """

    levels: NDArray[np.int8]
    rate: Floats
    counts: NDArray[np.int64]
    means: Floats
    squares: Floats
    runs: NDArray[np.int64]
    starts: NDArray[np.int64]
    values: Floats
    crossed: int = 0

    @property
    def df(self) -> NDArray[np.int64]:
        """(c,) degrees of freedom of each cell's own spread."""
        return self.counts - 1

    def index(self) -> NDArray[np.int64]:
        """(n,) each run's cell."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def choices(self) -> NDArray[np.int8]:
        """(c, k) the columns of `levels` that are choices."""
        return self.levels[:, : self.levels.shape[1] - self.crossed]

    def settings(self) -> NDArray[np.int64]:
        """(c,) the number of the cell's setting: of its rate and of what is crossed."""
        own = np.column_stack([self.rate, self.levels[:, self.levels.shape[1] - self.crossed :]])
        return np.unique(own, axis=0, return_inverse=True)[1].reshape(-1)


def gather(runs: FactorRuns) -> Cells:
    """The cells of an experiment's finished runs."""
    known = np.flatnonzero(runs.finished)
    known = known[np.argsort(runs.cell[known], kind="stable")]
    values = runs.values[known]
    _, starts, counts = np.unique(runs.cell[known], return_index=True, return_counts=True)
    sums = np.add.reduceat(values, starts) if len(known) else np.zeros(0)
    means = sums / counts
    left = np.square(values - np.repeat(means, counts))
    return Cells(
        levels=runs.levels[known[starts]],
        rate=runs.rate[known[starts]],
        counts=counts.astype(np.int64),
        means=means,
        squares=np.add.reduceat(left, starts) if len(known) else np.zeros(0),
        runs=known,
        starts=starts.astype(np.int64),
        values=values,
        crossed=len(runs.crossed),
    )


def seeds_alike(cells: Cells, runs: FactorRuns) -> BlockModel:
    """What a seed does to all cells alike, over the cells that have the plan's seeds."""
    seeds = runs.seed[cells.runs]
    names, count = np.unique(seeds, return_counts=True)
    common = names[count > 0.5 * len(cells.counts)]
    table = np.full((len(cells.counts), len(common)), np.nan)
    for at, seed in enumerate(common):
        here = seeds == seed
        table[cells.index()[here], at] = cells.values[here]
    return fit_blocks(table[~np.isnan(table).any(axis=1)])


@dataclass(frozen=True, eq=False, slots=True)
class Noise:
    """What is known of the run-to-run spread.

    Attributes:
        source: `"pure error"`: runs that repeat a cell; `"exact"`: these do not differ at all, so
            that the score follows from the design; `"residual"`: what a model leaves over,
            so that it holds whatever the model leaves out; `"Lenth"`: the smaller effects of an
            unreplicated plan; `"none"`.
        sd: of a single run, pooled over cells; None without a source.
        df: its degrees of freedom.
        cells: whose runs they are. lenth: margins, where it is Lenth's.
    """

    source: Source
    sd: float | None
    df: float
    cells: Cells
    lenth: Lenth | None = None


def pure_error(cells: Cells) -> Noise:
    """The noise from runs that repeat a cell."""
    df = int(cells.df.sum()) if len(cells.counts) else 0
    total = float(cells.squares.sum())
    if df < 1 or total < NO_SPREAD:
        return Noise("none", None, 0.0, cells)
    return Noise("pure error", float(np.sqrt(total / df)), float(df), cells)


def errors(noise: Noise, weights: Floats) -> tuple[Floats, Floats, bool]:
    """Standard errors of contrasts over new seeds.

    Each cell keeps its own spread, so that unequal spread does no harm, if that leaves every
    contrast at least `ENOUGH_DF` degrees of freedom; otherwise the spread is pooled over all
    cells. A cell of one run is given the pooled spread.

    Args:
        weights: (q, c) of the cells' means.

    Returns:
        (q,) errors, NaN where nothing is known of the noise; (q,) degrees of freedom, after
        Satterthwaite and Welch where each cell has its own spread; and whether it has.
    """
    if noise.sd is None:
        nothing = np.full(len(weights), np.nan)
        return nothing, nothing, False
    cells = noise.cells
    if noise.source == "pure error" and noise.df >= ENOUGH_DF:
        shares, df = _shares(cells, weights), np.maximum(cells.df, 1)
        design = shares.sum(axis=1) ** 2 / np.sum(shares**2 / df, axis=1)
        own = np.where(cells.df > 0, cells.squares / df, 0.0)
        variance = shares @ own
        if np.all(design >= ENOUGH_DF) and np.all(variance > 0):
            return np.sqrt(variance), _satterthwaite(shares * own, cells.df), True
    pooled = np.sum(np.square(weights) / cells.counts, axis=1)
    return noise.sd * np.sqrt(pooled), np.full(len(weights), spread_df(noise)), False


def spread_df(noise: Noise) -> float:
    """Degrees of freedom of the pooled spread: as many as runs give where cells have too few of
    their own to show whether their spreads differ, fewer where some cells hold most of it."""
    if noise.source != "pure error" or noise.df < MANY_DF:
        return noise.df
    return float(_satterthwaite(noise.cells.squares[None], noise.cells.df)[0])


def _shares(cells: Cells, weights: Floats) -> Floats:
    """How much of each cell's variance a contrast's variance holds.

    A cell of one run borrows the pooled variance, a mean of the others' by degrees of freedom.
    """
    shares: Floats = np.square(weights) / cells.counts
    single = cells.df == 0
    borrowed = shares[:, single].sum(axis=1, keepdims=True)
    return np.asarray(np.where(single, 0.0, shares) + borrowed * cells.df / cells.df.sum())


def _satterthwaite(parts: Floats, df: NDArray[np.int64]) -> Floats:
    """Degrees of freedom of a sum of independent variances, (q, c) -> (q,).

    Satterthwaite's formula (1946), and twice what it gives for cells of two or three runs. At one
    degree of freedom a cell it is three times too small on average; but freed of that (Welch 1947)
    it is largest in the studies whose spread came out too small, and where spreads differ much,
    intervals hold too seldom (docs/attribution.md). Never beyond those of the pooled spread.
    """
    squares = parts**2 / np.where(df <= 2, 2 * np.maximum(df, 1), df)
    found = parts.sum(axis=1) ** 2 / squares.sum(axis=1)
    return np.asarray(np.clip(found, 1.0, float(df.sum())))
