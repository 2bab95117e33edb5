"""The scores of all subsets of the factors, predicted from those of some.

The score of a subset is taken as

    mean + main effects + two-factor interactions (+ three-factor ones) + what is the subset's own,

each effect of a kind drawn from a normal distribution around zero (Box and Meyer 1993, Journal of
Quality Technology 25; as a Gaussian process: Chipman, Hamada and Wu 1997, Technometrics 39). So
effects that the runs do not show clearly are drawn towards zero, interactions that the cells cannot
tell apart share what was seen, and the uncertainty of a prediction includes what is not known of
them. The variances of the kinds are averaged over a grid, by how likely each makes the scores.

What is a subset's own is all interactions of three or more factors, each as large as any other. For
`surface`, which ranks subsets, that is enough. `all_orders`, whose intervals have to hold for sums
over all subsets, lets a part of it be of three factors, never takes it for nothing, and looks up to
where nothing else matters: docs/attribution.md has the coverage.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Floats, Levels, all_cells, codes_of, columns, effects
from nextify.findings.cells import gather
from nextify.findings.factor_runs import factor_runs
from nextify.findings.judged import readings
from nextify.records.plan import Plan
from nextify.records.record import Record

# Multiples of the spread of the cells' means, for each kind of effect as a whole.
_MAIN = (0.0, 0.25, 0.5, 1.0, 2.0)
_PAIRS = (0.0, 0.15, 0.35, 0.7, 1.4)
_OWN = (0.0, 0.1, 0.25, 0.5)
_NOISE = (0.1, 0.25, 0.5, 1.0)  # where no runs repeat a cell
# Of `all_orders`: as above; of all interactions of three or more factors together, from a part of
# the run-to-run spread to a multiple of the cells'; how much of their variance is of just three.
_WIDE_MAIN, _WIDE_PAIRS = (0.3, 1.2), (0.0, 0.2, 0.5, 1.2)
_HIGH_FROM, _HIGH_TO, _HIGH = 0.35, 1.5, 9
_TRIPLES = (0.0, 0.2, 0.5)
_FLAT = 100.0  # of the mean: as good as unknown
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class _Guess:
    """Variances of the kinds, of all effects of a kind together, of the mean, and of a cell's.

    Attributes:
        apart: (c,) 1 for cells that were measured on another scale, of which all scores are higher
            or lower by a number of which nothing is known; else 0.
    """

    main: float
    pairs: float
    own: float
    noise: Floats
    flat: float
    apart: Floats
    triples: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Surface:
    """What is known of the scores of all 2^k subsets.

    Attributes:
        levels: (2^k, k), in the order of `coding.all_cells`.
        means, sds: (2^k,) of the prediction; the standard deviation is that of what is not known.
    """

    levels: Levels
    means: Floats
    sds: Floats
    _cells: Levels
    _values: Floats
    _guesses: tuple[_Guess, ...]
    _odds: Floats

    def posterior(self, weights: Floats) -> "Posterior":
        """What is known of sums of the subsets' scores.

        Args:
            weights: (q, 2^k) of the subsets.
        """
        table = weights @ columns(self.levels, effects(self.levels.shape[1], 3))
        center = self._values.mean()
        gains, values, within = [], [], []
        for guess in self._guesses:
            to_cells = weights @ _to_cells(self.levels, self._cells, guess)
            gain = np.linalg.solve(_of_cells(self._cells, guess), to_cells.T).T
            prior = (table * _sizes(self.levels.shape[1], guess) ** 2) @ table.T
            gains.append(gain)
            values.append(center * weights.sum(axis=1) + gain @ (self._values - center))
            within.append(prior + guess.own * weights @ weights.T - gain @ to_cells.T)
        mean = self._odds @ np.array(values)
        apart = np.array(values) - mean
        between = (apart * self._odds[:, None]).T @ apart
        covariance = np.tensordot(self._odds, np.array(within), 1) + between
        return Posterior(mean, covariance, np.tensordot(self._odds, np.array(gains), 1))

    def draws(self, count: int, rng: np.random.Generator) -> Floats:
        """(count, 2^k) scores of all subsets as they may well be, given what was measured."""
        found = np.empty((count, len(self.levels)))
        which = np.sort(rng.choice(len(self._guesses), count, p=self._odds))
        for at, rows in zip(*np.unique(which, return_counts=True), strict=True):
            found[which == at] = self._drawn(self._guesses[at], int(rows), rng)
        return found[rng.permutation(count)]

    def _drawn(self, guess: _Guess, count: int, rng: np.random.Generator) -> Floats:
        """By Matheron's rule: drawn as if nothing were known, then corrected by what is."""
        prior = _prior_draws(self.levels, guess, count, rng)
        places = codes_of(self._cells)
        noise = rng.normal(size=(count, len(places))) * np.sqrt(guess.noise)
        if guess.apart.any():
            noise = noise + rng.normal(size=(count, 1)) * np.sqrt(guess.flat) * guess.apart
        center = self._values.mean()
        gain = _gain(self.levels, self._cells, guess)
        return np.asarray(
            center + prior + (self._values - center - prior[:, places] - noise) @ gain.T
        )


@dataclass(frozen=True, eq=False, slots=True)
class Posterior:
    """What is known of q sums of the subsets' scores.

    Attributes:
        values: (q,). covariance: (q, q) of what is not known.
        weights: (q, c) how much each follows each cell that was trained.
    """

    values: Floats
    covariance: Floats
    weights: Floats


def surface(
    levels: Levels,
    means: Floats,
    counts: NDArray[np.int64],
    sd: float | None,
    apart: NDArray[np.bool_] | None = None,
) -> Surface:
    """Learn the scores of all subsets from those of c cells.

    >>> rows = all_cells(3)[[0, 3, 5, 6]]  # four of the eight
    >>> learned = surface(rows, np.array([0.5, 0.7, 0.6, 0.6]), np.full(4, 2), 0.001)
    >>> len(learned.means), int(learned.means.argmax()), bool(learned.sds[7] > learned.sds[3])
    (8, 3, True)

    Args:
        levels: (c, k) distinct on a scale. means: (c,) of the runs' scores. counts: (c,) of runs.
        sd: of single runs about their cell's mean; None where no cell has two.
        apart: (c,) which were measured on another scale: their scores are higher or lower than they
            would be on that of the others, all by the same, which is not known. What is predicted
            is on the others' scale. By default all were measured on one.
    """
    scale = np.zeros(len(means), dtype=bool) if apart is None else apart
    return _learned(levels, means, _guesses(means, counts, sd, scale))


def all_orders(levels: Levels, means: Floats, counts: Floats, sd: float | None) -> Surface:
    """The same with all orders of interactions, for intervals of sums over all subsets.

    Args:
        counts: (c,) of runs, those that would give each mean its precision. sd: None: a tenth of
            the spread of the cells' means.
    """
    return _learned(levels, means, _guesses_of_all_orders(means, counts, sd))


def _learned(levels: Levels, means: Floats, guesses: tuple[_Guess, ...]) -> Surface:
    everything = all_cells(levels.shape[1])
    center = float(means.mean())
    odds = np.array([_log_odds(levels, means - center, each) for each in guesses])
    odds = np.exp(odds - odds.max())
    odds /= odds.sum()
    kept = odds > 1e-4  # the rest changes nothing that could be seen
    odds = odds[kept] / odds[kept].sum()
    guesses = tuple(each for each, ok in zip(guesses, kept, strict=True) if ok)
    parts = [_predicted(everything, levels, means - center, each) for each in guesses]
    weighted = list(zip(odds, *zip(*parts, strict=True), strict=True))
    mean = sum(weight * one for weight, one, _ in weighted)
    second = sum(weight * (part + np.square(one - mean)) for weight, one, part in weighted)
    sds = np.sqrt(np.maximum(second, 0.0))
    return Surface(everything, center + np.asarray(mean), sds, levels, means, guesses, odds)


def _guesses(
    means: Floats, counts: NDArray[np.int64], sd: float | None, apart: NDArray[np.bool_]
) -> tuple[_Guess, ...]:
    scale = max(float(means[~apart].std()), _LEAST)
    other = apart.astype(np.float64)
    noises = [scale * part for part in _NOISE] if sd is None else [max(sd, 1e-3 * scale)]
    found = []
    for a, b, c, one in product(_MAIN, _PAIRS, _OWN, noises):
        main, pairs, own = (a * scale) ** 2, (b * scale) ** 2, (c * scale) ** 2
        noise = one**2 / counts
        flat = _FLAT**2 * (main + pairs + own + float(noise.mean()))
        found.append(_Guess(main, pairs, own, noise, flat, other))
    return tuple(found)


def _guesses_of_all_orders(means: Floats, counts: Floats, sd: float | None) -> tuple[_Guess, ...]:
    scale = max(float(means.std()), _LEAST)
    one = max(_NOISE[0] * scale if sd is None else sd, 1e-3 * scale)
    flat = _FLAT**2 * (scale**2 + one**2)
    one_scale = np.zeros(len(means))
    high = np.geomspace(_HIGH_FROM * one, max(_HIGH_TO * scale, 2 * one), _HIGH) ** 2
    return tuple(
        _Guess(
            (a * scale) ** 2, (b * scale) ** 2, (1 - t) * h, one**2 / counts, flat, one_scale, t * h
        )
        for a, b, h, t in product(_WIDE_MAIN, _WIDE_PAIRS, high.tolist(), _TRIPLES)
    )


def _kernel(one: Levels, other: Levels, guess: _Guess) -> Floats:
    """Covariances of the scores of subsets, (a, b), without what is a subset's own."""
    k = one.shape[1]
    same = one.astype(np.float64) @ other.T.astype(np.float64)
    pairs = (same**2 - k) / (k * (k - 1)) if k > 1 else np.zeros_like(same)
    found = guess.flat + guess.main * same / k + guess.pairs * pairs
    if guess.triples and k > 2:  # the third elementary symmetric polynomial of the products
        found += guess.triples * same * (same**2 - 3 * k + 2) / (k * (k - 1) * (k - 2))
    return np.asarray(found)


def _of_cells(cells: Levels, guess: _Guess) -> Floats:
    """(c, c) covariances of the cells' measured means."""
    found = _kernel(cells, cells, guess) + np.diag(guess.own + guess.noise)
    if guess.apart.any():  # then a subset may be there twice, once on each scale
        codes = codes_of(cells)
        again = (codes[:, None] == codes) & ~np.eye(len(codes), dtype=bool)
        found += guess.own * again + guess.flat * np.outer(guess.apart, guess.apart)
    return np.asarray(found)


def _to_cells(levels: Levels, cells: Levels, guess: _Guess) -> Floats:
    """(2^k, c) covariances of the scores of all subsets with those of the cells."""
    found = _kernel(levels, cells, guess)
    found[codes_of(cells), np.arange(len(cells))] += guess.own
    return found


def _gain(levels: Levels, cells: Levels, guess: _Guess) -> Floats:
    """(2^k, c) how much each prediction follows each cell."""
    return np.asarray(np.linalg.solve(_of_cells(cells, guess), _to_cells(levels, cells, guess).T).T)


def _log_odds(cells: Levels, values: Floats, guess: _Guess) -> float:
    """The logarithm of the likelihood of the cells' means, but for a constant."""
    covariance = _of_cells(cells, guess)
    _, size = np.linalg.slogdet(covariance)
    return float(-0.5 * (size + values @ np.linalg.solve(covariance, values)))


def _predicted(
    levels: Levels, cells: Levels, values: Floats, guess: _Guess
) -> tuple[Floats, Floats]:
    """Means and variances of all subsets, (2^k,) each."""
    gain = _gain(levels, cells, guess)
    flat = _kernel(levels[:1], levels[:1], guess)[0, 0] + guess.own
    known = np.sum(gain * _to_cells(levels, cells, guess), axis=1)
    return gain @ values, np.maximum(flat - known, 0.0)


def _prior_draws(levels: Levels, guess: _Guess, count: int, rng: np.random.Generator) -> Floats:
    """(count, 2^k) scores, as if nothing had been measured."""
    order = 3 if guess.triples else 2
    table = columns(levels, effects(levels.shape[1], order)) * _sizes(levels.shape[1], guess, order)
    own = rng.normal(size=(count, len(levels))) * np.sqrt(guess.own)
    return np.asarray(rng.normal(size=(count, table.shape[1])) @ table.T + own)


def _sizes(k: int, guess: _Guess, order: int = 3) -> Floats:
    """Standard deviations of the coefficients of all effects of up to so many factors."""
    orders = np.array([len(term) for term in effects(k, order)])
    kinds = np.array([guess.flat, guess.main, guess.pairs, guess.triples])
    return np.asarray(np.sqrt(kinds[orders] / np.bincount(orders, minlength=4)[orders]))


@dataclass(frozen=True, eq=False, slots=True)
class Seen:
    """What plans' runs say about the subsets of the factors.

    Attributes:
        levels: (c, k) of the subsets with a score. means, counts: (c,) of their runs' scores.
        apart: (c,) which of these are on another scale (`surface`).
        sd: of single runs about their subset's mean; None where no subset has two.
        troubled: numbers (`coding.codes_of`) of subsets of which a run diverged, failed or learned
            nothing.
        learned: how many runs learned something.
    """

    levels: Levels
    means: Floats
    counts: NDArray[np.int64]
    sd: float | None
    troubled: frozenset[int]
    learned: int
    apart: NDArray[np.bool_]

    @property
    def surface(self) -> Surface:
        """The scores of all subsets, as these say them."""
        return surface(self.levels, self.means, self.counts, self.sd, self.apart)


def seen(plans: Iterable[tuple[Plan, Iterable[Record]]], *, apart: bool = False) -> Seen:
    """Gather what plans of the same factors have recorded. Reshaped designs are left out.

    Args:
        apart: the second plan's scores are on another scale than the first one's, as those of other
            images.

    Diverged runs count with what chance scores: a choice that makes runs diverge is predicted to
    be no good, also where no run of it was. The spread is that of the runs that finished.
    """
    read = [factor_runs(plan, records) for plan, records in plans]
    cells = [gather(readings(one)[0][1]) for one in read]
    finished = [gather(one) for one in read]
    scales = [at * apart << len(read[0].factors) for at in range(len(read))]
    codes = np.concatenate(
        [codes_of(each.levels) + scale for each, scale in zip(cells, scales, strict=True)]
    )
    sums = np.concatenate([each.means * each.counts for each in cells])
    runs = np.concatenate([each.counts for each in cells])
    distinct, at = np.unique(codes, return_inverse=True)
    counts = np.bincount(at, runs, len(distinct)).astype(np.int64)
    squares = sum(float(each.squares.sum()) for each in finished)
    df = sum(int(each.df.sum()) for each in finished)
    lost = [np.isin(one.became, ("diverged", "failed")) for one in read]
    bad = [codes_of(one.levels[lost | one.nothing]) for one, lost in zip(read, lost, strict=True)]
    return Seen(
        levels=all_cells(len(read[0].factors))[distinct % (1 << len(read[0].factors))],
        means=np.bincount(at, sums, len(distinct)) / np.maximum(counts, 1),
        counts=counts,
        sd=float(np.sqrt(squares / df)) if df and squares > 0 else None,
        troubled=frozenset(np.concatenate(bad).tolist()),
        learned=sum(int(np.sum(one.finished & ~one.nothing)) for one in read),
        apart=distinct >= 1 << len(read[0].factors),
    )
