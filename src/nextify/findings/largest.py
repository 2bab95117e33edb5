"""The largest of several |t|: how far intervals reach that hold all at once, by integration.

The t of q contrasts are L z / s: z normal in k dimensions, L L' the correlation, s the estimated
spread over the true one. A row of L bounds the z of the last column in which it is not zero, from
both sides, once s and the z before are given. So the chance that no |t| is above c is the mean of a
product of k normal probabilities, over uniform numbers that pick s and place each z within its
bounds (Genz 1992; Genz and Bretz 2009, Computation of Multivariate Normal and t Probabilities; for
k below q Genz and Kwong 2000). Contrasts that depend on each other need no care, and where they are
independent only s is left to average over.

The uniform numbers are Sobol points, scrambled in several ways, always the same; what the ways
differ by is the error of the integration.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from numpy.typing import NDArray

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import LEVEL

_WAYS = 8
_POINTS = (1 << 9, 1 << 11, 1 << 13)  # in each way: more where fewer are not enough
_SURE = 2.0  # standard errors of the integration
_ENOUGH = 1e-3
_NOTHING = 1e-9  # rounding
_RARE = 1e-4  # so seldom two are large at once that Bonferroni's bound is sharp, and points miss it
_MOST = 1 - 1e-16


@dataclass(frozen=True, eq=False, slots=True)
class Largest:
    """The distribution of the largest |t| of q contrasts of rank k.

    Attributes:
        root: (q, k) L. ends: (q,) the last column in which a row is not zero.
        df: degrees of freedom of the spread.
    """

    root: Floats
    ends: NDArray[np.int64]
    df: float

    def above(self, reach: float) -> float:
        """The chance that the largest |t| is at least this large: an adjusted p."""
        one = 2 * float(scipy.stats.t.sf(reach, self.df))
        return float(np.clip(self._above(reach, _POINTS[1]).mean(), one, len(self.root) * one))

    def reach(self, level: float = LEVEL) -> float:
        """The value that the largest |t| stays below with this chance.

        What the integration may be wrong by is added to it: a verdict that hangs on less is none.
        """
        lost, count = 1 - level, len(self.root)
        one, most = (float(scipy.stats.t.isf(lost / 2 / n, self.df)) for n in (1, count))
        if self.root.shape[1] == 1:
            return one
        if lost < _RARE:
            return most

        def more(reach: float) -> float:
            return float(self._above(reach, _POINTS[0]).mean()) - lost

        found = one  # few points may see too many or too few beyond either end
        if more(one) > 0:
            found = most if more(most) >= 0 else scipy.optimize.brentq(more, one, most, xtol=1e-3)
        error = np.inf
        for points in _POINTS:  # a step of Newton's each
            before, here, after = (self._above(found + step, points) for step in (-0.01, 0, 0.01))
            slope = float((before - after).mean()) / 0.02
            found += float(here.mean() - lost) / slope
            error = _SURE * float(here.std(ddof=1)) / np.sqrt(_WAYS) / slope
            if error < _ENOUGH:
                break
        return float(min(found + error, most))  # no further than Bonferroni's

    def _above(self, reach: float, points: int) -> Floats:
        """(ways,) the chance by each way of scrambling."""
        rank, there = self.root.shape[1], self.root != 0
        uniform = _uniform(points, rank + 1)
        half = reach * _spread(points, rank + 1, self.df)[:, None]
        # Contrasts that are independent of all others are alike.
        alone = (there.sum(axis=0) == 1) & (there[there.sum(axis=1) == 1].sum(axis=0) == 1)
        inside = alone.sum() * np.log1p(-np.minimum(2 * scipy.special.ndtr(-half[:, 0]), _MOST))
        z = np.zeros((len(uniform), rank))
        for at in np.flatnonzero(~alone).tolist():
            rows, later = self.ends == at, self.ends > at
            own = self.root[rows, at]
            center = -(z[:, :at] @ self.root[rows, :at].T) / own
            low = (center - half / np.abs(own)).max(axis=1)
            high = (center + half / np.abs(own)).min(axis=1)
            below = scipy.special.ndtr(low)
            outside = np.minimum(below + scipy.special.ndtr(-high), _MOST)
            inside += np.log1p(-outside)
            if self.root[later, at].any():  # otherwise this z bounds nothing
                place = below + uniform[:, at + 1] * (1 - outside)
                z[:, at] = scipy.special.ndtri(np.clip(place, 1e-300, _MOST))
        return np.asarray(-np.expm1(inside).reshape(_WAYS, -1).mean(axis=1))


def largest(covariance: Floats, df: float) -> Largest:
    """Of contrasts with this (q, q) covariance, but for a factor, and these degrees of freedom.

    >>> one = largest(np.eye(1), 10)
    >>> round(one.reach(), 3), round(one.above(2.228), 3)  # Student's t
    (2.228, 0.05)
    >>> round(largest(np.full((3, 3), 2.0), 10).reach(), 3)  # three times the same
    2.228
    """
    size = np.sqrt(np.diag(covariance))
    left = covariance / np.outer(size, size)
    columns: list[Floats] = []
    while (at := int(np.argmax(np.diag(left)))) >= 0 and left[at, at] > _NOTHING:
        column = left[:, at] / np.sqrt(left[at, at])
        left = left - np.outer(column, column)
        left[at], left[:, at] = 0.0, 0.0
        columns.append(np.where(np.abs(column) < _NOTHING, 0.0, column))
    root = np.array(columns).T
    ends = root.shape[1] - 1 - np.argmax(root[:, ::-1] != 0, axis=1)
    return Largest(root, ends, float(df))


@lru_cache(maxsize=8)
def _uniform(points: int, count: int) -> Floats:
    """(ways x points, count) numbers between 0 and 1."""
    ways = (scipy.stats.qmc.Sobol(count, rng=np.random.default_rng(way)) for way in range(_WAYS))
    found = np.concatenate([each.random(points) for each in ways])
    return np.asarray(np.clip(found, _NOTHING, 1 - _NOTHING))


@lru_cache(maxsize=64)
def _spread(points: int, count: int, df: float) -> Floats:
    """(ways x points,) the estimated spread over the true one, by the first of the numbers."""
    first = _uniform(points, count)[:, 0]
    if not np.isfinite(df):
        return np.ones_like(first)
    return np.asarray(np.sqrt(scipy.special.chdtri(df, first) / df))
