"""What attribution answers, as data: plain numbers and words, ready for a page or for JSON."""

from dataclasses import dataclass
from typing import Literal

from nextify.experiments.intervals import LEVEL, Interval
from nextify.findings.basis import Method
from nextify.findings.cells import Source
from nextify.findings.failures import Failure, Setting
from nextify.findings.lenth import Lenth
from nextify.findings.model import LackOfFit
from nextify.findings.outcomes import Chance, Rests
from nextify.findings.scores import AnyScore, better_of

Answer = Literal[
    "helps",
    "hurts",
    "raises",  # a probe's value, of which more is neither better nor worse
    "lowers",
    "no effect",  # exactly: runs that repeat a cell do not differ
    "negligible",  # smaller than the margin, and not told from zero
    "not resolved",
    "no interval",
    "no verdict",  # between planned looks, or after the last
    "cannot be told",
    Rests,
]
DECIDED: tuple[Answer, ...] = ("helps", "hurts", "raises", "lowers")


def verdict_of(score: AnyScore, value: float) -> Answer:
    """What an effect that is told from zero does."""
    better = better_of(score)
    if not better:
        return "raises" if value > 0 else "lowers"
    return "helps" if (value > 0) == (better > 0) else "hurts"


Reading = Literal[
    "finished runs",  # those that diverged are left out
    "diverged at chance",  # they score what always answering the largest class does
    "diverged last",  # all runs by rank, those that diverged behind all others
    "learned something",  # finished runs, without those that learned nothing
]
Estimand = Literal["Shapley value", "average effect"]
Origin = Literal["trained cells", "model of all orders"]
GapVerdict = Literal[
    "whole orders",  # zero because contributions are read off whole orders
    "saturated",  # zero because there are no more cells than effects
    "no interval",
    "interactions",  # not zero, of a plan that cannot tell factors from interactions
    "third order",  # not zero: interactions of three or more factors
    "cancelling",  # as good as zero, though the model does not fit all cells
    "adds up",
]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and how sure it is.

    Attributes:
        value: in the score's units; None where the runs cannot tell it.
        error: standard error over new seeds. df: its degrees of freedom.
        interval: 95 %, by itself, for new seeds on the same test images.
        wide: the same for new seeds and new test images; None without per-image results.
        p: two-sided, of no effect, belongs to `interval`.
    """

    value: float | None
    error: float | None = None
    df: float | None = None
    interval: Interval | None = None
    wide: Interval | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What making a factor's choices adds to the score, whatever the order.

    Attributes:
        name: of the factor.
        estimate: by itself.
        simultaneous: 95 % that this and all other factors' intervals hold together; new seeds.
        wide: the same for new seeds and new test images.
        p: adjusted for all factors together; belongs to `simultaneous`.
        classical, hc3: standard errors of the least-squares fit to single runs, as a check.
        answer: by `simultaneous`, where all readings of the runs agree.
        within: `simultaneous` leaves no effect open that is larger than the margin.
    """

    name: str
    estimate: Estimate
    simultaneous: Interval | None = None
    wide: Interval | None = None
    p: float | None = None
    classical: float | None = None
    hc3: float | None = None
    answer: Answer = "cannot be told"
    within: bool = False


@dataclass(frozen=True, slots=True)
class Interaction:
    """How much more one factor adds where another is made than where it is not (4 beta).

    Attributes:
        first, second: names of the factors.
        estimate: of this pair, or of the sum of all pairs that the plan cannot tell apart.
        aliased: those other pairs, with the sign at which they enter the sum.
        q: p adjusted for the false-discovery rate (Benjamini and Hochberg 1995).
        found: whether q is below 0.05.
        heredity: how many of the two factors have a resolved contribution of their own: an
            interaction with 0 is to be doubted.
        rests: why it is not found though q is below 0.05; empty otherwise.
        with_triples: whether three-factor interactions enter the estimate.
    """

    first: str
    second: str
    estimate: Estimate
    aliased: tuple[tuple[str, str, int], ...] = ()
    q: float | None = None
    found: bool = False
    heredity: int = 0
    rests: Rests | Literal[""] = ""
    with_triples: bool = False


@dataclass(frozen=True, slots=True)
class Triple:
    """An interaction of three factors, or a sum of them that cells show: 2 beta.

    That is the mean score of the cells where the product of the three levels is positive less that
    of the others, and what it adds to v(all) - v(none) beyond the contributions.

    Attributes:
        factors: names of the three; of a sum, of its most plausible term.
        estimate: of the term, or of the sum. aliased: the other terms, with their signs.
        q: p adjusted for the false-discovery rate. found: whether it is below 0.05.
    """

    factors: tuple[str, ...]
    estimate: Estimate
    aliased: tuple[tuple[tuple[str, ...], int], ...] = ()
    q: float | None = None
    found: bool = False


@dataclass(frozen=True, slots=True)
class Credit:
    """A factor's Shapley value by the model of all orders.

    Attributes:
        name: of the factor. estimate: by itself; its errors hold what the model does not know.
        simultaneous: 95 % that all factors' hold together; new seeds.
        wide: the same for new seeds and new test images.
    """

    name: str
    estimate: Estimate
    simultaneous: Interval | None
    wide: Interval | None


@dataclass(frozen=True, slots=True)
class Gap:
    """v(all) - v(none) less the sum of the contributions: what the model leaves out.

    Attributes:
        total: v(all) - v(none), measured.
        estimate: of the gap.
        by_construction: it is zero because of how the contributions were computed, not because
            of what was measured.
        verdict: what it says of the model.
    """

    total: Estimate
    estimate: Estimate
    by_construction: bool
    verdict: GapVerdict


@dataclass(frozen=True, slots=True)
class Way:
    """One way of looking at a factor.

    Attributes:
        estimate: of the difference. by: what it was read from; from the model where one of the two
            designs has no run with a score.
        simultaneous: 95 % that all increments of all factors hold together; new seeds.
    """

    estimate: Estimate
    by: Origin
    simultaneous: Interval | None

    @property
    def predicted(self) -> bool:
        """Whether one of the two designs has no run with a score."""
        return self.by == "model of all orders"


@dataclass(frozen=True, slots=True)
class Ways:
    """How a factor's credit depends on where it is looked at from.

    Attributes:
        name: of the factor.
        added: to the start, alone ("add one in"). path: in the path's order, after all before it.
        removed: what the end loses without it ("leave one out"), as a gain.
        None where neither the runs nor a model of them can tell.
    """

    name: str
    added: Way | None
    path: Way | None
    removed: Way | None

    @property
    def all(self) -> tuple[Way | None, ...]:
        """The three."""
        return self.added, self.path, self.removed


@dataclass(frozen=True, slots=True)
class RateContributions:
    """Contributions at one learning rate, in the order of the factors.

    Attributes:
        rate: multiple of the recipe's. estimates: one a factor.
    """

    rate: float
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class Ranks:
    """Whether two learning rates put the factors in the same order.

    Attributes:
        low, high: the rates. kendall, spearman: of the contributions, -1 to 1. factors: how many.
    """

    low: float
    high: float
    kendall: float
    spearman: float
    factors: int


@dataclass(frozen=True, slots=True)
class RateStability:
    """What the learning rate changes.

    Attributes:
        rates: contributions at each. ranks: every pair of rates.
        changes: one a factor: its contribution at the highest rate minus that at the lowest;
            `together`: intervals that hold for all factors at once.
    """

    rates: tuple[RateContributions, ...]
    ranks: tuple[Ranks, ...]
    changes: tuple[Estimate, ...]
    together: tuple[Interval | None, ...]


@dataclass(frozen=True, slots=True)
class SimpleEffect:
    """What a factor adds at each of two settings of what is crossed with it.

    Attributes:
        name: of the factor. first, second: at the two settings. change: second less first.
        together: the interval of `change` that holds for all factors and all that is crossed.
        aliased: three factors each, whose interaction the cells cannot tell from `change`.
    """

    name: str
    first: Estimate
    second: Estimate
    change: Estimate
    together: Interval | None
    aliased: tuple[tuple[str, ...], ...] = ()

    @property
    def is_clear(self) -> bool:
        """Whether the setting is seen to matter."""
        return self.together is not None and self.together.excludes_zero


@dataclass(frozen=True, slots=True)
class Crossed:
    """What is crossed with the choices because it may suit one side; contributions are averaged
    over its two settings.

    Attributes:
        name, settings: as `Nuisance` has them. effect: of the second setting instead of the first,
            by itself. factors: what each adds at the two.
    """

    name: str
    settings: tuple[str, ...]
    effect: Estimate
    factors: tuple[SimpleEffect, ...]


@dataclass(frozen=True, slots=True)
class NoiseSummary:
    """The run-to-run spread behind the intervals.

    Attributes:
        source: see `cells.Noise`. sd, df: of a single run, pooled.
        own: whether each cell kept its own spread in the contributions' errors.
        critical: standard errors that a simultaneous interval reaches (multivariate t).
        seed_correlation: between the scores of two cells with the same seed, and its interval.
        lenth: margins of an unreplicated plan. half_normal: (name, effect, score) of its effects.
    """

    source: Source
    sd: float | None
    df: float
    own: bool
    critical: float | None
    seed_correlation: float | None
    seed_correlation_interval: Interval | None
    lenth: Lenth | None = None
    half_normal: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Runs: planned, with a score, diverged, failed, not recorded yet; and cells with a score.

    Attributes:
        without: runs that finished and have no score: of a probe that found no value, or by class
            where the images were not counted so.
    """

    planned: int
    finished: int
    diverged: int
    failed: int
    missing: int
    cells: int
    planned_cells: int
    without: int = 0


@dataclass(frozen=True, slots=True)
class ByReading:
    """Contributions by one reading of the runs.

    Attributes:
        reading: which. cells: with a score then. contributions: one a factor, each with the answer
            of this reading alone; in ranks where runs that diverged are last.
    """

    reading: Reading
    cells: int
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the cells with a score, and their runs, do not allow to be said.

    Attributes:
        shared: runs that stand in two cells, because a choice changes nothing there.
        single: cells of one run.
        fixed: factors that never vary, each with whether it is always made.
        lost_orders: sampled orders that pass through a cell without a score. orders: all of them.
        confounded: factors that cannot be told from other factors.
        mixed: factors, each with the interactions that its contribution cannot be told from.
        untold: two-factor interactions that cannot be told, not even in sums.
        per_image: whether all results are kept per test image, of equally many.
        with_triples: factors whose contribution cannot be told from three-factor interactions.
    """

    shared: int
    single: int
    fixed: tuple[tuple[str, bool], ...]
    lost_orders: int
    orders: int
    confounded: tuple[str, ...]
    mixed: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    untold: int
    per_image: bool
    with_triples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which choice made the difference: all that a factorial study's records say.

    Attributes:
        metric: the score. method: see `basis.Basis`. experiment, matched: of the plan.
        estimand: what contributions are. A fraction's are average effects: the mean score with the
            choices less that without, over the cells that were trained.
        counts: runs and cells. contributions: one a factor, in the path's order.
        shapley: beside average effects, one a factor; empty where contributions are Shapley values,
            and where nothing can be said of them.
        gap: None where an end cell has no score, or a contribution is unknown.
        interactions: pairs that can be told, or groups of aliased pairs. triples: three-factor
            ones that the cells show beyond these, the largest first.
        ways: other ways of looking, one a factor.
        rates: None unless learning rates were crossed. failures: one a factor, and one for each
            thing that is crossed with them.
        noise: behind the intervals. lack_of_fit: of the two-factor model; None if not testable.
        limits: what was left out and what cannot be said.
        crossed: one for each thing that is crossed with the factors.
        level: of the simultaneous intervals: over all looks they hold 95 times in 100.
        margin: the smallest effect of interest, in the score's own units.
        readings: of the runs, each by itself: the first is the one that all numbers are by; none
            where no run diverged or learned nothing.
        chance: the level of chance; None where the plan does not tell it.
        unlearned: with which settings runs learned nothing, one a factor; empty without such runs.
        rests: on what a verdict could rest: the kinds of such runs that there are.
    """

    metric: AnyScore
    method: Method
    estimand: Estimand
    experiment: str
    matched: str
    counts: Counts
    contributions: tuple[Contribution, ...]
    shapley: tuple[Credit, ...]
    gap: Gap | None
    interactions: tuple[Interaction, ...]
    triples: tuple[Triple, ...]
    ways: tuple[Ways, ...]
    rates: RateStability | None
    failures: tuple[Failure, ...]
    noise: NoiseSummary
    lack_of_fit: LackOfFit | None
    limits: Limits
    crossed: tuple[Crossed, ...] = ()
    level: float = LEVEL
    margin: float | None = None
    readings: tuple[ByReading, ...] = ()
    chance: Chance | None = None
    unlearned: tuple[Setting, ...] = ()
    rests: tuple[Rests, ...] = ()
