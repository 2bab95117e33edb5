"""What holds on data in general: contributions on several data sets, as a sample of such data.

    contribution on a data set = its mean over data sets + factor x data set + error of the runs

Seeds within data sets say nothing of other data sets. Whether a choice helps in general is judged
by how much its contribution varies from one data set to the next: Student's t of the means, each
factor with its own spread, n - 1 degrees of freedom. That spread holds the error of the runs, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from nextify.experiments.coding import Floats
from nextify.experiments.intervals import Interval, around, student
from nextify.findings.answers import Answer, Attribution, Contribution, verdict_of
from nextify.findings.scores import AnyScore


@dataclass(frozen=True, slots=True)
class General:
    """A factor's contribution over n data sets.

    Attributes:
        name: of the factor.
        mean: over the data sets, each counting once. sd: between them, the runs' error included.
        None where a data set does not tell the contribution, or there is but one.
        simultaneous: 95 % that this and all other factors' intervals hold together, for data sets
            like these. p: adjusted for all factors (Sidak).
        answer: by `simultaneous`.
        differs: p of equal contributions on all of these data sets (Cochran's Q, from the runs'
            errors): below 0.05 the factor does other things on other data. None without errors.
    """

    name: str
    mean: float | None
    sd: float | None = None
    simultaneous: Interval | None = None
    p: float | None = None
    answer: Answer = "cannot be told"
    differs: float | None = None


def across(found: Sequence[Attribution]) -> tuple[General, ...]:
    """What each factor contributes in general, from its contributions on several data sets.

    Args:
        found: one a data set, on the same factors and the same score.
    """
    factors = list(zip(*(each.contributions for each in found), strict=True))
    return tuple(_general(every, len(factors), found[0].metric) for every in factors)


def _general(every: Sequence[Contribution], factors: int, score: AnyScore) -> General:
    name, n = every[0].name, len(every)
    values = np.array([each.estimate.value for each in every], dtype=np.float64)
    if n < 2 or np.isnan(values).any():
        return General(name, None)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    differs = _differs(values, [each.estimate.error for each in every])
    if not sd > 0:
        return General(name, mean, sd, answer="no interval", differs=differs)
    error = sd / n**0.5
    interval = around(mean, student(n - 1, factors) * error)
    alone = float(2 * scipy.stats.t.sf(abs(mean) / error, n - 1))
    answer: Answer = "not resolved"
    if interval.excludes_zero:
        answer = verdict_of(score, mean)
    p = -float(np.expm1(factors * np.log1p(-alone)))
    return General(name, mean, sd, interval, p, answer, differs)


def _differs(values: Floats, errors: Sequence[float | None]) -> float | None:
    if not all(errors):
        return None
    weights = 1 / np.square(np.array(errors, dtype=np.float64))
    center = float(weights @ values / weights.sum())
    q = float(weights @ np.square(values - center))
    return float(scipy.stats.chi2.sf(q, len(values) - 1))
