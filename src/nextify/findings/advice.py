"""How many more seeds would settle what a study leaves open, and how often they would.

What is to be settled is an effect of the margin's size, never of the size that was measured: who
powers for the latter is right in a third of cases, because what is undecided was measured too
large as often as too small. The chances are those of the next look given what is known now: what
is measured so far is a part of what will be, and the spread is known only as well as its degrees
of freedom allow. An undecided factor is taken to have no effect, or one of the margin's size in
either direction, as likely the one as the other; its estimate says how much it counts for each.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import student
from nextify.findings.answers import Attribution, Contribution

POWER = 0.8
_NODES = (np.arange(24) + 0.5) / 24  # chances in the middle of equally likely parts


@dataclass(frozen=True, slots=True)
class Settling:
    """What the next look says of what is open now.

    Attributes:
        seeds: in every cell, those that are there included.
        half: half-width of the widest simultaneous interval to expect, in the score's units.
        found: chance that an effect of the margin's size is then told from zero, on its side.
        missing: chance that an effect that is not there is then shown to be smaller than the
            margin. Both are 0 without a margin.
    """

    seeds: int
    half: float
    found: float = 0.0
    missing: float = 0.0

    @property
    def is_likely(self) -> bool:
        """Whether both come with 80 % probability."""
        return min(self.found, self.missing) >= POWER


def seeds_to_settle(found: Attribution, there: int, level: float, most: int) -> Settling | None:
    """The fewest seeds a cell that settle with 80 % probability; None where `most` are too few, or
    `settling` is None."""
    counts = range(there + 1, most + 1)

    def is_likely(seeds: int) -> bool:
        told = settling(found, there, seeds, level)
        return told is not None and told.is_likely

    at = bisect_left(counts, True, key=is_likely)  # more seeds never settle less
    return settling(found, there, counts[at], level) if at < len(counts) else None


def settling(found: Attribution, there: int, seeds: int, level: float) -> Settling | None:
    """What more seeds bring.

    Args:
        there: seeds of every cell now. seeds: then. level: of the next look.

    Returns:
        None where nothing is open, or nothing is known of the noise.
    """
    open_ = [each for each in found.contributions if each.answer == "not resolved"]
    if not open_ or found.noise.sd is None:
        return None
    known = [each for each in found.contributions if each.estimate.error]
    df, more = found.noise.df, found.counts.cells * (seeds - there)
    ahead = _Ahead(there / seeds, df, more, student(df + more, len(known), level))
    half = max(ahead.half(each.estimate.error or 0.0) for each in known)
    if found.margin is None:
        return Settling(seeds, half)
    return Settling(seeds, half, *_chances(ahead, open_, found.margin))


def _chances(ahead: "_Ahead", open_: Iterable[Contribution], margin: float) -> tuple[float, float]:
    """The chances of `Settling`, over the undecided factors as each may be one or the other."""
    parts = []
    for each in open_:
        value, error = each.estimate.value, each.estimate.error
        assert value is not None and error is not None
        parts.append(ahead.chances(value, error, margin))
    has, found, missing = np.array(parts).T
    return float(has @ found / has.sum()), float((1 - has) @ missing / (1 - has).sum())


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The next look.

    Attributes:
        share: of its seeds that are there now. df: of the noise now. more: degrees of freedom
            that come. reach: of a simultaneous interval, in standard errors.
    """

    share: float
    df: float
    more: int
    reach: float

    def half(self, error: float) -> float:
        """Half-width to expect of an interval with this standard error now."""
        return float(self.reach * error * np.sqrt(self.share))

    def chances(self, value: float, error: float, margin: float) -> tuple[float, float, float]:
        """That a factor has an effect of the margin's size; that this is then found if it has;
        and that it is then shown to be smaller if it has none."""
        now = error * np.sqrt(self.df / scipy.special.chdtri(self.df, _NODES))[:, None]
        known = self.df * error**2 + scipy.special.chdtri(self.more, _NODES) * now**2
        reach = self.reach * np.sqrt(self.share * known / (self.df + self.more))
        spread = now * np.sqrt(self.share * (1 - self.share))
        start, moved = value * self.share, margin * (1 - self.share)
        cdf = scipy.special.ndtr
        found = [cdf((sign * start + moved - reach) / spread) for sign in (1, -1)]
        high, low = (margin - reach - start) / spread, (reach - margin - start) / spread
        missing = np.maximum(0.0, cdf(high) - cdf(low))
        # How likely each truth makes the estimate, beside no effect.
        sides = [np.exp((sign * value - margin / 2) * margin / now**2) for sign in (1, -1)]
        likely: Floats = 0.5 * (sides[0] + sides[1])
        has = likely / (1 + likely)
        either = 0.5 * (sides[0] * found[0] + sides[1] * found[1]) / (1 + likely)
        some = float(np.mean(has))
        return some, float(np.mean(either)) / some, float(np.mean((1 - has) * missing)) / (1 - some)
