"""How often attribution's intervals hold, and what its estimators miss, where the truth is known.

    python scripts/attribution_coverage.py --studies 2000 --out docs

About ten minutes on one core. Prints the tables of docs/attribution.md and writes its figures,
attribution-coverage.png and attribution-orders.png. The plan is the default one: 8 factors, 64
cells of resolution V and the missing end cell, 2 seeds a cell, 4 more on both end cells; 138 runs.
The unit of all effects is the standard deviation between runs. Every study goes through the code
that `attribute` uses.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import stats

from nextify.experiments.coding import codes_of, columns, effects
from nextify.experiments.fractions import ATTRIBUTE, fraction, full, with_ends
from nextify.experiments.intervals import LEVEL, Interval, student
from nextify.experiments.permutations import cells_of_orders, sampled_orders
from nextify.findings.basis import Basis, basis
from nextify.findings.cells import Cells, Noise, gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.images import images_part
from nextify.findings.largest import largest
from nextify.findings.measure import Contrasts, contrasts, noise_of, together
from nextify.findings.model import least_squares
from nextify.findings.shapley import exact_shapley, order_variance
from nextify.findings.ways import changes, ends
from nextify.findings.whole import whole
from nextify.report.style import BAR, BLUE, GREEN, GREY, ORANGE, PURPLE, plain, style

Floats = NDArray[np.float64]
Levels = NDArray[np.int8]
K = 8
NAMES = tuple("ABCDEFGH")
MAIN = {(0,): 0.5, (1,): 0.25, (2,): 0.1, (5,): -0.25, (6,): -0.5}
PAIRS = {(0, 1): 0.5, (2, 3): -0.4, (5, 7): 0.2}
TRIPLE = {(0, 1, 2): 1.0}


def equal(levels: Levels) -> Floats:
    """The same spread in every cell."""
    return np.ones(len(levels))


def unequal(levels: Levels) -> Floats:
    """Three times the spread where A is made, twice again where B is made too."""
    return np.where(levels[:, 0] > 0, 3.0, 1.0) * np.where((levels[:, :2] > 0).all(axis=1), 2, 1)


def never(levels: Levels) -> Floats:
    """No run diverges."""
    return np.zeros(len(levels))


def often(levels: Levels) -> Floats:
    """One run in five diverges where C is made, one in fifty elsewhere."""
    return np.where(levels[:, 2] > 0, 0.2, 0.02)


@dataclass(frozen=True)
class Scenario:
    """A truth. `betas` are coefficients of products of levels: a contribution is 2 beta."""

    name: str
    betas: Mapping[tuple[int, ...], float]
    spread: Callable[[Levels], Floats] = equal
    diverge: Callable[[Levels], Floats] = never
    skewed: bool = False

    def means(self, levels: Levels) -> Floats:
        """True scores of cells."""
        return columns(levels, tuple(self.betas)) @ np.array(list(self.betas.values()))

    def main_effects(self) -> Floats:
        """(k,) 2 beta."""
        return np.array([2 * self.betas.get((j,), 0.0) for j in range(K)])

    def shapley(self) -> Floats:
        """(k,) from all 2^k subsets."""
        bits = (np.arange(1 << K)[:, None] >> np.arange(K)) & 1
        return exact_shapley(self.means((2 * bits - 1).astype(np.int8)))


SCENARIOS = (
    Scenario("main effects only", MAIN),
    Scenario("two-factor interactions", {**MAIN, **PAIRS}),
    Scenario("a three-factor interaction", {**MAIN, **PAIRS, **TRIPLE}),
    Scenario("unequal noise (1 to 6)", {**MAIN, **PAIRS}, spread=unequal),
    Scenario("skewed noise", {**MAIN, **PAIRS}, skewed=True),
    Scenario("diverging runs", {**MAIN, **PAIRS}, diverge=often),
)


@dataclass(frozen=True)
class Layout:
    """Planned runs: levels (n, k), cell (n,), and the cells' levels."""

    levels: Levels
    cell: NDArray[np.int64]
    cells: Levels

    @classmethod
    def of(cls, cells: Levels, seeds: int, more: int = 0) -> "Layout":
        """`seeds` a cell, and `more` on the end cells."""
        is_end = np.abs(cells.sum(axis=1)) == cells.shape[1]
        counts = seeds + more * is_end
        cell = np.repeat(np.arange(len(cells)), counts)
        return cls(cells[cell], cell, cells)

    @property
    def seeds(self) -> NDArray[np.int64]:
        """(n,) of the runs: 0, 1, ... in each cell."""
        return np.concatenate([np.arange(count) for count in np.bincount(self.cell)])

    def runs(self, values: Floats, correct: NDArray[np.bool_] | None = None) -> FactorRuns:
        """The runs with their scores."""
        n = len(self.cell)
        return FactorRuns(
            factors=NAMES,
            score="nll" if correct is None else "accuracy",
            levels=self.levels,
            cell=self.cell,
            seed=self.seeds,
            values=values,
            rate=np.ones(n),
            became=("finished",) * n,
            correct=correct,
        )


def default_plan() -> Layout:
    """The default plan's 138 runs."""
    return Layout.of(with_ends(fraction(K, ATTRIBUTE)), seeds=2, more=4)


@dataclass
class Tally:
    """What many studies of one scenario found."""

    scenario: str
    studies: int = 0
    values: list[Floats] = field(default_factory=list)
    errors: list[Floats] = field(default_factory=list)
    single: list[Floats] = field(default_factory=list)
    simultaneous: list[bool] = field(default_factory=list)
    hc3: list[Floats] = field(default_factory=list)
    gap: list[bool] = field(default_factory=list)
    gap_found: list[bool] = field(default_factory=list)


def scores(scenario: Scenario, layout: Layout, rng: np.random.Generator) -> Floats:
    """Scores of one study; NaN for a run that diverged."""
    n = len(layout.cell)
    noise = rng.exponential(size=n) - 1 if scenario.skewed else rng.normal(size=n)
    values = scenario.means(layout.levels) + scenario.spread(layout.levels) * noise
    lost = rng.random(n) < scenario.diverge(layout.levels)
    return np.where(lost, np.nan, values)


def simulate(scenario: Scenario, studies: int, seed: int) -> Tally:
    """Studies of the default plan under one truth; coverage is of the main effects."""
    layout, rng, tally = default_plan(), np.random.default_rng(seed), Tally(scenario.name)
    whole = basis(layout.cells, np.ones(len(layout.cells)))
    truth = scenario.main_effects()
    for _ in range(studies):
        cells = gather(layout.runs(scores(scenario, layout, rng)))
        complete = len(cells.counts) == len(layout.cells)
        read = whole if complete else basis(cells.levels, cells.rate)
        if read.method != "two-factor model" or not read.known.all():
            continue
        noise = noise_of(cells, read.pairs)
        found = contrasts(noise, read.weights)
        every = together(found)
        assert every.critical is not None
        away = np.abs(found.values - truth) / found.errors
        tally.studies += 1
        tally.values.append(found.values)
        tally.errors.append(found.errors)
        tally.single.append(away <= [student(df) for df in found.df])
        tally.simultaneous.append(bool(away.max() <= every.critical))
        _hc3(tally, read, cells, truth)
        _gap(tally, scenario, read, noise, cells)
    return tally


def _hc3(tally: Tally, read: Basis, cells: Cells, truth: Floats) -> None:
    fit = least_squares(read.pairs.matrix[cells.index()], cells.values)
    at = [read.pairs.terms.index((j,)) for j in range(K)]
    reach = stats.norm.ppf(0.975) * fit.hc3[at]
    tally.hc3.append(np.abs(fit.coefficients[at] - truth / 2) <= reach)


def _gap(tally: Tally, scenario: Scenario, read: Basis, noise: Noise, cells: Cells) -> None:
    total = ends(cells, np.ones(K, dtype=np.bool_))
    if total is None:
        return
    weights = (total - read.weights.sum(axis=0))[None]
    found = contrasts(noise, weights)
    corners = np.array([[1] * K, [-1] * K], dtype=np.int8)
    high, low = scenario.means(corners)
    truth = high - low - scenario.main_effects().sum()
    reach = student(float(found.df[0])) * found.errors[0]
    tally.gap.append(bool(abs(found.values[0] - truth) <= reach))
    tally.gap_found.append(bool(abs(found.values[0]) > reach))


@dataclass(frozen=True)
class Kind:
    """A kind of noise: (generator, true scores of runs, their cell, their seed) -> their scores."""

    name: str
    scores: Callable[[np.random.Generator, Floats, NDArray[np.int64], NDArray[np.int64]], Floats]


def normal(rng: np.random.Generator, mean: Floats, *_: NDArray[np.int64]) -> Floats:
    """The same for every run."""
    return mean + rng.normal(size=len(mean))


def binomial(rng: np.random.Generator, mean: Floats, *_: NDArray[np.int64]) -> Floats:
    """Accuracy on 1,000 test images of which 60 % are expected to be right on average."""
    unit = np.sqrt(0.6 * 0.4 / 1000)
    return rng.binomial(1000, np.clip(0.6 + unit * mean, 0.01, 0.99)) / 1000 / unit - 0.6 / unit


def heavy(rng: np.random.Generator, mean: Floats, *_: NDArray[np.int64]) -> Floats:
    """Student's t with 3 degrees of freedom, of variance 1."""
    return mean + rng.standard_t(3, size=len(mean)) / np.sqrt(3)


def blocked(
    rng: np.random.Generator, mean: Floats, cell: NDArray[np.int64], seed: NDArray[np.int64]
) -> Floats:
    """Half of the variance is the seed's, the same in all cells."""
    return mean + np.sqrt(0.5) * (
        rng.normal(size=seed.max() + 1)[seed] + rng.normal(size=len(mean))
    )


def lognormal(
    rng: np.random.Generator, mean: Floats, cell: NDArray[np.int64], *_: object
) -> Floats:
    """Each cell has its own spread, log-normal with 0.8; 1 in the mean square."""
    spread = np.exp(0.8 * rng.normal(size=cell.max() + 1) - 0.64)
    return mean + spread[cell] * rng.normal(size=len(mean))


NOISES = (
    Kind("normal", normal),
    Kind("binomial, 1,000 images", binomial),
    Kind("heavy-tailed (t, 3)", heavy),
    Kind("seeds as blocks", blocked),
    Kind("unequal (log-normal, 0.8)", lognormal),
)
HIGH = 1.75
ORDERS = ("average effects", "Shapley values", "increments, trained", "increments, predicted")


def drawn_truth(rng: np.random.Generator, high: float) -> Floats:
    """(2^k,) true scores: coefficients of main effects have a standard deviation of 2, those of
    pairs of 0.7, a third and half of them are nothing; all products of three or more factors have
    coefficients alike, which together vary over the subsets with a standard deviation of `high`."""
    terms = effects(K, K)
    order = np.array([len(term) for term in terms])
    betas = rng.normal(size=len(terms))
    betas *= np.where(order == 1, 2.0 * (rng.random(len(terms)) > 0.3), 0.7)
    betas *= np.where((order == 2) & (rng.random(len(terms)) < 0.5), 0.0, 1.0)
    more = order > 2
    betas[more] *= high / np.sqrt(np.sum(betas[more] ** 2))
    betas[0] = 0.0
    return columns(full(K), terms) @ betas


def simulate_orders(noise: Kind, high: float, studies: int, seed: int) -> Floats:
    """(studies, 6) whether all intervals of a kind hold together: those in `ORDERS`, and by the
    two-factor model, with nothing but noise, Shapley values and predicted increments."""
    rng, layout = np.random.default_rng(seed), default_plan()
    read = basis(layout.cells, np.ones(len(layout.cells)))
    at, run = codes_of(layout.cells), codes_of(layout.levels)
    players = np.ones(K, dtype=np.bool_)
    held = []
    for _ in range(studies):
        truth = drawn_truth(rng, high)
        runs = layout.runs(noise.scores(rng, truth[run], layout.cell, layout.seeds))
        cells = gather(runs)
        spread = noise_of(cells, read.pairs)
        learned = whole(runs, spread, read.pairs.fixed, players)
        assert learned is not None
        every = [change for row in changes(cells, players) for change in row]
        trained = np.array([each.weights for each in every if each.weights is not None])
        asked = [learned.change(e.before, e.after) for e in every if e.weights is None]
        told = np.array([each for each in asked if each is not None])
        average = contrasts(spread, read.weights)
        by_noise = contrasts(spread, read.pairs.weights(told @ read.pairs.at(full(K))))
        shapley, count = learned.contrasts(learned.shapley()), 3 * K - 2
        held.append(
            (
                _within(average, read.weights @ truth[at]),
                _within(shapley, exact_shapley(truth)),
                _within(contrasts(spread, trained), trained @ truth[at], count),
                _within(learned.contrasts(told), told @ truth, count),
                _within(average, exact_shapley(truth)),
                _within(by_noise, told @ truth, count),
            )
        )
    return np.array(held, dtype=np.float64)


def simulate_averages(noise: Kind, studies: int, seed: int) -> float:
    """How often all intervals of the average effects hold together. These are weighted sums of the
    cells, whatever the truth is, which is nothing here: no model of all orders is needed, and
    20,000 studies take ten seconds."""
    rng, layout = np.random.default_rng(seed), default_plan()
    read = basis(layout.cells, np.ones(len(layout.cells)))
    correlated = (read.weights / np.bincount(layout.cell)) @ read.weights.T
    df = np.geomspace(1, len(layout.cell), 60)
    reach = [largest(correlated, float(each)).reach(LEVEL) for each in df]
    held = 0
    for _ in range(studies):
        scores = noise.scores(rng, np.zeros(len(layout.cell)), layout.cell, layout.seeds)
        cells = gather(layout.runs(scores))
        found = contrasts(noise_of(cells, read.pairs), read.weights)
        held += bool(
            np.abs(found.values / found.errors).max() <= np.interp(found.df.min(), df, reach)
        )
    return held / studies


def _within(found: Contrasts, truth: Floats, count: int = 0) -> bool:
    """Whether all intervals hold: by the largest |t|, or as increments, of so many."""
    reach = [student(df, count) for df in found.df] if count else together(found).critical
    return bool(np.all(np.abs(found.values - truth) <= np.array(reach) * found.errors))


def orders_table(rows: list[tuple[str, float, Floats]]) -> str:
    """Coverage by kind of noise and size of higher interactions as a Markdown table."""
    lines = [
        f"| noise | higher interactions | studies | {' | '.join(ORDERS)} | Shapley values by main "
        "effects | predicted by two-factor model |",
        f"|{'---|' * (len(ORDERS) + 5)}",
    ]
    for name, high, held in rows:
        shown = " | ".join(f"{100 * each:.1f}" for each in held.mean(axis=0))
        lines.append(f"| {name} | {high:g} | {len(held)} | {shown} |")
    return "\n".join(lines)


def draw_orders(rows: list[tuple[str, float, Floats]], path: Path) -> None:
    """The figure: which intervals hold together, with Monte-Carlo intervals."""
    looks = ((BLUE, "o"), (ORANGE, "s"), (GREEN, ">"), (PURPLE, "D"), (GREY, "x"), (GREY, "+"))
    names = (*ORDERS, "Shapley values by main effects", "predicted by two-factor model")
    at = np.arange(len(rows))[::-1]
    with style():
        figure, axes = plt.subplots(figsize=(7.2, 3.4), layout="constrained")
        axes.axvspan(94, 97, color=BAR, zorder=0, linewidth=0, label="94 to 97 %")
        for which, (name, (color, mark)) in enumerate(zip(names, looks, strict=True)):
            found = np.array([100 * held[:, which].mean() for _, _, held in rows])
            size = np.array([len(held) for _, _, held in rows])
            error = 1.96 * np.sqrt(np.maximum(found * (100 - found), 1) / size)
            y = at + 0.11 * (2.5 - which)
            axes.errorbar(found, y, xerr=error, fmt=mark, color=color, ms=4, lw=0.8, label=name)
        axes.set_yticks(at, [f"{name}; {high:g}" for name, high, _ in rows])
        axes.set_xlim(0, 101)
        counts = " or ".join(f"{n:,}" for n in sorted({len(held) for _, _, held in rows}))
        axes.set_xlabel(f"simultaneous intervals that hold, % (n = {counts} studies a row)")
        axes.set_title("Noise; higher interactions in SDs between runs", loc="left")
        axes.legend(loc="upper center", frameon=False, fontsize=7)
        plain(axes)
        figure.savefig(path, dpi=170, metadata={"Software": None})


def inside(intervals: Iterable[Interval], truth: Floats) -> NDArray[np.bool_]:
    """Whether each interval holds its truth."""
    ends = np.array([(each.low, each.high) for each in intervals])
    return (ends[:, 0] <= truth) & (truth <= ends[:, 1])


def simulate_images(studies: int, seed: int, images: int = 400) -> dict[str, float]:
    """New seeds and new test images: a table of right and wrong answers with a known mean.

    An image is answered correctly if cell + run + image + (image's own taste for each factor) +
    chance is above zero, all normal, so that a cell's expected accuracy is a normal integral.
    """
    layout, rng = default_plan(), np.random.default_rng(seed)
    read = basis(layout.cells, np.ones(len(layout.cells)))
    betas = {(): 1.0, **{term: 0.4 * beta for term, beta in MAIN.items()}}
    mean = Scenario("", betas).means
    by_run, by_image, taste = 0.1, 1.0, 0.3
    scale = np.sqrt(1 + by_run**2 + by_image**2 + K * taste**2)
    truth = read.weights @ stats.norm.cdf(mean(layout.cells) / scale)
    hits: list[tuple[float, ...]] = []
    for _ in range(studies):
        own = layout.levels @ (taste * rng.normal(size=(K, images)))
        run = mean(layout.levels)[:, None] + by_run * rng.normal(size=(len(layout.cell), 1))
        correct = run + own + by_image * rng.normal(size=images) > rng.normal(size=own.shape)
        runs = layout.runs(correct.mean(axis=1), correct)
        cells = gather(runs)
        noise = noise_of(cells, read.pairs)
        part = images_part(runs, cells, read.weights)
        assert part is not None
        found = contrasts(noise, read.weights, part)
        every = together(found)
        one = [found.estimate(at) for at in range(K)]
        wide, narrow = ([getattr(each, kind) for each in one] for kind in ("wide", "interval"))
        held = [inside(part, truth) for part in (wide, every.wide, narrow, every.narrow)]
        hits.append((held[0].mean(), held[1].all(), held[2].mean(), held[3].all()))
    names = ("single, wide", "simultaneous, wide", "single, narrow", "simultaneous, narrow")
    return dict(zip(names, np.mean(hits, axis=0).tolist(), strict=True))


def gap_power(sizes: Floats, studies: int, seed: int) -> Floats:
    """How often the end-cell gap's interval excludes zero, by the gap's true size."""
    found = []
    for size in sizes:
        truth = Scenario("", {**MAIN, **PAIRS, (0, 1, 2): float(size) / 2})
        found.append(np.mean(simulate_gap(truth, studies, seed)))
    return np.array(found)


def simulate_gap(scenario: Scenario, studies: int, seed: int) -> list[bool]:
    """Whether each study's gap excludes zero."""
    layout, rng, tally = default_plan(), np.random.default_rng(seed), Tally(scenario.name)
    read = basis(layout.cells, np.ones(len(layout.cells)))
    for _ in range(studies):
        cells = gather(layout.runs(scores(scenario, layout, rng)))
        noise = noise_of(cells, read.pairs)
        _gap(tally, scenario, read, noise, cells)
    return tally.gap_found


def estimators(scenario: Scenario, studies: int, seed: int) -> list[tuple[str, int, Floats, float]]:
    """(name, runs, mean error of the Shapley values of A, B, C, standard deviation) of each way."""
    rng, truth = np.random.default_rng(seed), scenario.shapley()
    rows = []
    for name, layout in (
        ("fraction, 64 cells x 2 (main effects)", default_plan()),
        ("all 256 subsets x 2", Layout.of(full(K), seeds=2)),
    ):
        read = basis(layout.cells, np.ones(len(layout.cells)))
        found = [read.weights @ _cell_means(scenario, layout, rng) for _ in range(studies)]
        rows.append(_row(name, len(layout.cell), np.array(found), truth))
    found, runs, held = [], [], []
    for at in range(studies // 4):
        value, n, ok = _by_orders(scenario, rng, seed=seed + at, truth=truth)
        found.append(value)
        runs.append(n)
        held.append(ok)
    rows.append(_row("28 sampled orders x 1", round(np.mean(runs)), np.array(found), truth))
    print(f"intervals from sampled orders (2 seeds) hold: {np.mean(held):.3f}")
    return rows


def _cell_means(scenario: Scenario, layout: Layout, rng: np.random.Generator) -> Floats:
    count = np.bincount(layout.cell)
    return scenario.means(layout.cells) + rng.normal(size=len(count)) / np.sqrt(count)


def _row(name: str, runs: int, found: Floats, truth: Floats) -> tuple[str, int, Floats, float]:
    return name, runs, (found - truth).mean(axis=0)[:3], float(found.std(axis=0, ddof=1).mean())


def _by_orders(
    scenario: Scenario, rng: np.random.Generator, seed: int, truth: Floats
) -> tuple[Floats, int, float]:
    orders = sampled_orders(K, 28, seed)
    cells = cells_of_orders(orders)
    read = basis(cells, np.ones(len(cells)), orders.tolist())
    value = read.weights @ _cell_means(scenario, Layout.of(cells, 1), rng)
    layout = Layout.of(cells, 2)
    gathered = gather(layout.runs(scores(scenario, layout, rng)))
    read = basis(gathered.levels, gathered.rate, orders.tolist())
    noise = noise_of(gathered, read.pairs)
    assert noise.sd is not None and read.tables is not None
    by_orders = order_variance(
        read.tables, read.groups, gathered.means, noise.sd**2 / gathered.counts
    )
    more = np.column_stack([by_orders, np.full(K, len(read.groups) - 1)])
    found = contrasts(noise, read.weights, None, more)
    reach = np.array([student(df) for df in found.df]) * found.errors
    return value, len(cells), float(np.mean(np.abs(found.values - truth) <= reach))


def efficiency(studies: int, seed: int) -> tuple[float, float]:
    """Standard errors with 128 runs: the fraction's, and one factor at a time (126 runs)."""
    rng = np.random.default_rng(seed)
    cells = fraction(K, ATTRIBUTE)
    weights = basis(cells, np.ones(len(cells))).weights
    by_fraction = (weights @ rng.normal(size=(len(cells), studies)) / np.sqrt(2)).std()
    means = rng.normal(size=(K + 1, studies)) / np.sqrt(14)
    return float(by_fraction), float((means[1:] - means[0]).std())


def one_at_a_time_error(runs: int) -> float:
    """Standard error of an effect from K + 1 cells of equally many runs: a difference of two."""
    return float(np.sqrt(2 * (K + 1) / runs))


def table(tallies: list[Tally]) -> str:
    """Coverage and bias as a Markdown table."""
    rows = [
        "| truth | studies | single | simultaneous | single by HC3 | "
        "gap holds | gap excludes zero | largest bias | SD / mean SE |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    truths = {scenario.name: scenario.main_effects() for scenario in SCENARIOS}
    for tally in tallies:
        values = np.array(tally.values)
        bias = np.abs(values.mean(axis=0) - truths[tally.scenario]).max()
        ratio = np.mean(values.std(axis=0, ddof=1) / np.mean(tally.errors, axis=0))
        parts = [tally.single, tally.simultaneous, tally.hc3, tally.gap]
        shown = " | ".join(f"{100 * np.mean(part):.1f}" for part in parts)
        rows.append(
            f"| {tally.scenario} | {tally.studies} | {shown} | "
            f"{100 * np.mean(tally.gap_found):.1f} | {bias:.3f} | {ratio:.2f} |"
        )
    return "\n".join(rows)


def draw(tallies: list[Tally], sizes: Floats, power: Floats, studies: int, path: Path) -> None:
    """The figure: coverage by truth, and the gap's power."""
    with style():
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(7.2, 2.9), width_ratios=[1.45, 1], layout="constrained"
        )
        _draw_coverage(left, tallies)
        _draw_power(right, sizes, power)
        right.set_title(f"A three-factor interaction (n = {studies:,})", loc="left")
        figure.savefig(path, dpi=170, metadata={"Software": None})


def _draw_coverage(axes: Axes, tallies: list[Tally]) -> None:
    at = np.arange(len(tallies))[::-1]
    error = 100 * 1.96 * np.sqrt(0.95 * 0.05 / min(tally.studies for tally in tallies))
    axes.axvspan(95 - error, 95 + error, color=BAR, zorder=0, linewidth=0, label="95 % and chance")
    axes.axvline(95, color=GREY, linewidth=0.8)
    for part, colour, mark, shift, label in (
        ("single", BLUE, "o", 0.12, "single"),
        ("simultaneous", ORANGE, "s", -0.12, "simultaneous, of all 8"),
    ):
        found = [100 * np.mean(getattr(tally, part)) for tally in tallies]
        axes.plot(found, at + shift, mark, color=colour, markersize=5, label=label)
    axes.set_yticks(at, [tally.scenario for tally in tallies])
    axes.set_xlim(90, 100)
    axes.set_ylim(-1.7, len(at) - 0.4)
    axes.set_xlabel(f"intervals that hold, % (n = {tallies[0].studies:,} studies a row)")
    axes.set_title("95 % intervals of contributions, new seeds", loc="left")
    axes.legend(
        loc="lower center", frameon=False, fontsize=7, ncols=3, columnspacing=1, handlelength=1.2
    )
    plain(axes)


def _draw_power(axes: Axes, sizes: Floats, power: Floats) -> None:
    axes.plot(sizes, 100 * power, "-o", color=BLUE, markersize=3.5)
    axes.axhline(5, color=GREY, linewidth=0.8, linestyle="--")
    axes.text(sizes[-1], 7, "5 %: no such interaction", ha="right", color=GREY, fontsize=7)
    axes.set_ylim(0, 102)
    axes.set_xlabel("true end-cell gap, in SDs between runs")
    axes.set_ylabel("gap's interval excludes zero, %")
    plain(axes, grid="both")


def main() -> None:
    """Simulate, print the tables, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    n = options.studies
    tallies = [simulate(s, n, options.seed + at) for at, s in enumerate(SCENARIOS)]
    print(table(tallies))
    print(f"\nMonte-Carlo standard error of 95 %: {100 * np.sqrt(0.95 * 0.05 / n):.2f} points")
    print("\nnew test images, 400 of them:", simulate_images(max(200, n // 4), options.seed))
    fraction_error, single_error = efficiency(100_000, options.seed)
    print(
        f"\nstandard error in SDs, 128 runs: fraction {fraction_error:.4f} (formula "
        f"{2 / 128**0.5:.4f}), one at a time {single_error:.4f} (126 runs; formula at 128 "
        f"{one_at_a_time_error(128):.4f}): "
        f"{(single_error / fraction_error) ** 2 * 126 / 128:.2f} times as many runs for the same"
    )
    print("\n| estimator | runs | mean error of phi_A, phi_B, phi_C | SD |\n|---|---|---|---|")
    for name, runs, bias, sd in estimators(SCENARIOS[2], n, options.seed):
        print(f"| {name} | {runs} | {', '.join(f'{b:+.3f}' for b in bias)} | {sd:.3f} |")
    sizes = np.linspace(0, 4, 9)
    power = gap_power(sizes, n, options.seed)
    print(
        "\ngap:", ", ".join(f"{s:.1f}: {100 * p:.0f} %" for s, p in zip(sizes, power, strict=True))
    )
    draw(tallies, sizes, power, n, options.out / "attribution-coverage.png")
    settings = [
        *((each, HIGH) for each in NOISES),
        *((NOISES[0], high) for high in (0.0, 0.5, 1.0)),
    ]
    rows = [
        (each.name, high, simulate_orders(each, high, max(100, 3 * n // 20), options.seed + at))
        for at, (each, high) in enumerate(settings)
    ]
    print(f"\n{orders_table(rows)}")
    for at, noise in enumerate(NOISES):
        held = 100 * simulate_averages(noise, 10 * n, 500 + at)
        print(f"average effects, {noise.name}, {10 * n:,} studies: {held:.1f} %")
    draw_orders(rows, options.out / "attribution-orders.png")


if __name__ == "__main__":
    main()
