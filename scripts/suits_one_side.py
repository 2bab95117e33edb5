"""Whether plans that allow for what suits one side say what is so, where the truth is known.

    python scripts/suits_one_side.py --studies 1000

A few minutes on one core. Prints two tables of docs/attribution.md. The first is of the default
plan that crosses initialisation and learning rate with eight choices: 128 cells of 2^(10-3) and the
six ends beside them, one seed a cell, one more in 20 cells; 154 runs. Every study goes through the
code that `attribute` uses. The second is of studies in which each cell is at its best learning
rate: how far the contributions are from what the chosen rates truly give, with fresh seeds and with
the scores that the rates were chosen by. The unit is the standard deviation between runs.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Levels, codes_of, columns
from nextify.experiments.fractions import ATTRIBUTE, crossing, fraction, with_ends
from nextify.experiments.intervals import student
from nextify.experiments.optimal import spread_out
from nextify.findings.basis import Basis, basis
from nextify.findings.cells import Cells, gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.largest import largest
from nextify.findings.measure import contrasts, noise_of
from nextify.findings.model import aliases
from nextify.findings.ways import ends

Floats = NDArray[np.float64]
Plan = tuple[Levels, NDArray[np.int64]]  # runs: their levels and seeds
Noise = Callable[[np.random.Generator, Levels, NDArray[np.int64]], Floats]
Effects = dict[tuple[int, ...], float]
K, CROSSED = 8, 2
MAIN: Effects = {(0,): 0.5, (1,): 0.25, (5,): -0.25, (6,): -0.5, (8,): 1.0, (9,): -0.3}
SIDES: Effects = {**MAIN, (0, 1): 0.5, (2, 3): -0.4, (6, 8): 0.8, (5, 9): 0.4}
HIGHER: Effects = {**SIDES, (0, 1, 2): 1.0, (3, 4, 6): -0.7}
THREES = list(combinations(range(K), 3))
DRAWN = np.random.default_rng(0).normal(size=len(THREES)) * 1.75 / len(THREES) ** 0.5
MANY: Effects = {**SIDES, **dict(zip(THREES, DRAWN.tolist(), strict=True))}


def normal(rng: np.random.Generator, levels: Levels, _: NDArray[np.int64]) -> Floats:
    """Standard normal noise."""
    return np.asarray(rng.normal(size=len(levels)))


def heavy(rng: np.random.Generator, levels: Levels, _: NDArray[np.int64]) -> Floats:
    """Student's t with three degrees of freedom, scaled to a standard deviation of 1."""
    return np.asarray(rng.standard_t(3, size=len(levels)) / 3**0.5)


def skewed(rng: np.random.Generator, levels: Levels, _: NDArray[np.int64]) -> Floats:
    """Log-normal, of mean 0 and standard deviation 1; skewness 6."""
    drawn = np.exp(rng.normal(size=len(levels)))
    return np.asarray((drawn - np.e**0.5) / (np.e * (np.e - 1)) ** 0.5)


def unequal(rng: np.random.Generator, levels: Levels, _: NDArray[np.int64]) -> Floats:
    """Three times the spread with He's weights, twice again where A is made too."""
    he, both = levels[:, K] > 0, (levels[:, [0, K]] > 0).all(axis=1)
    return np.asarray(rng.normal(size=len(levels)) * np.where(he, 3, 1) * np.where(both, 2, 1))


def blocks(rng: np.random.Generator, levels: Levels, seeds: NDArray[np.int64]) -> Floats:
    """Half of the variance is the seed's, the same in all cells."""
    return np.asarray((rng.normal(size=len(levels)) + rng.normal(size=2)[seeds]) / 2**0.5)


TRUTHS: dict[str, tuple[Effects, Noise]] = {
    "main effects only": (MAIN, normal),
    "choices x settings": (SIDES, normal),
    "three-factor interactions": (HIGHER, normal),
    "all three-factor interactions": (MANY, normal),
    "heavy tails": (SIDES, heavy),
    "log-normal": (SIDES, skewed),
    "unequal noise (1, 3, 6)": (SIDES, unequal),
    "seeds as blocks": (SIDES, blocks),
    "all three-factor interactions, heavy tails": (MANY, heavy),
}


def planned() -> Plan:
    """Runs of the default plan: their levels, and their seeds."""
    cells = with_ends(crossing(K, CROSSED, ATTRIBUTE), CROSSED)
    is_end = np.abs(cells[:, :K].astype(int).sum(axis=1)) == K
    twice = np.isin(codes_of(cells), codes_of(spread_out(cells[~is_end][:128], 12))) | is_end
    again = np.flatnonzero(twice)
    return np.concatenate([cells, cells[again]]), np.repeat([0, 1], [len(cells), len(again)])


def as_runs(levels: Levels, seeds: NDArray[np.int64], values: Floats) -> FactorRuns:
    """Runs with these scores."""
    _, cell = np.unique(codes_of(levels), return_inverse=True)
    return FactorRuns(
        factors=tuple("ABCDEFGH"),
        score="accuracy",
        levels=levels,
        cell=cell.astype(np.int64),
        seed=seeds,
        values=values,
        rate=np.ones(len(levels)),
        became=("finished",) * len(levels),
        crossed=("initialisation", "rate"),
    )


def crossed_studies(studies: int, truth: Effects, noise: Noise, seed: int) -> Floats:
    """How often the intervals of a study hold: of contributions, of changes, of the gap."""
    (levels, seeds), rng, terms = planned(), np.random.default_rng(seed), list(truth)
    scores = columns(levels, terms) @ np.array([truth[term] for term in terms])
    cells = gather(as_runs(levels, seeds, scores))
    read = basis(cells.levels, cells.rate, (), CROSSED)
    pairs = clear_pairs(read, cells.levels)
    mains, changes = read.weights, read.pairs.weights(4 * read.pairs.unit(pairs))
    of_mains = [2 * truth.get((j,), 0.0) for j in range(K)]
    of_changes = [4 * truth.get(pair, 0.0) for pair in pairs]
    main_reach, change_reach = reach_of(mains, cells), reach_of(changes, cells)
    held = []
    for _ in range(studies):
        cells = gather(as_runs(levels, seeds, scores + noise(rng, levels, seeds)))
        found = noise_of(cells, read.pairs)
        held.append(
            [
                _hold(found, mains, of_mains, main_reach),
                _hold(found, changes, of_changes, change_reach),
                _gap_holds(found, cells, read, truth),
            ]
        )
    return np.asarray(np.mean(held, axis=0))


def reach_of(weights: Floats, cells: Cells) -> Callable[[float], float]:
    """How far simultaneous intervals of contrasts reach, by degrees of freedom: these are all that
    differs between studies, since contrasts correlate as the plan has it."""
    return cache(lambda df: largest((weights / cells.counts) @ weights.T, df).reach())


def clear_pairs(read: Basis, levels: Levels) -> list[tuple[int, int]]:
    """Choices with what is crossed, but those that the page names an alias of three choices for."""
    pairs = [(j, K + at) for at in range(CROSSED) for j in range(K)]
    mixed = read.pairs.unit(pairs) @ aliases(read.pairs, levels, THREES)
    return [pair for pair, row in zip(pairs, mixed, strict=True) if np.abs(row).max() < 0.5]


def _hold(found, weights, wanted, reach) -> bool:  # type: ignore[no-untyped-def]
    measured = contrasts(found, weights)
    off = np.abs(measured.values - wanted)
    return bool(np.all(off <= reach(round(float(measured.df.min()), 1)) * measured.errors))


def _gap_holds(found, cells: Cells, read: Basis, truth: Effects) -> bool:  # type: ignore[no-untyped-def]
    total = ends(cells, np.arange(K + CROSSED) < K)
    assert total is not None
    left = contrasts(found, (total - read.weights.sum(axis=0))[None]).estimate(0).interval
    assert left is not None
    odd = [beta for term, beta in truth.items() if len(term) == 3 and max(term) < K]
    return left.low <= 2 * sum(odd) <= left.high


RATES = np.array([-2.0, -1.0, 0.0, 1.0])  # logarithms to the base 2


def tuned_table(studies: int, seed: int) -> Iterator[tuple[str, Floats, Floats]]:
    """(kind, (studies, k) contributions, (studies, k) what the chosen rates truly give).

    A moves the best rate by a factor of four, B makes the score insensitive to the rate: a plateau,
    on which the best of four runs is the luckiest.
    """
    rng, levels = np.random.default_rng(seed), fraction(K, ATTRIBUTE)
    base = levels[:, 0] * 0.5 + levels[:, 2] * 0.25
    best, curve = -0.5 - levels[:, 0], np.where(levels[:, 1] > 0, 0.0, 1.5)
    truth = base[:, None] - curve[:, None] * (RATES - best[:, None]) ** 2
    weights = levels.T / (len(levels) / 2)
    first = truth + rng.normal(size=(studies, *truth.shape))
    picked = first.argmax(axis=2)
    given = np.take_along_axis(np.broadcast_to(truth, first.shape), picked[..., None], 2)[..., 0]
    fresh = given + rng.normal(size=(studies, len(levels), 2)).mean(axis=2)
    yield "fresh seeds", fresh @ weights.T, given @ weights.T
    yield "the scores that chose", first.max(axis=2) @ weights.T, given @ weights.T


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print("| truth | contributions | choice x setting | gap |\n|---|---|---|---|")
    for at, (name, (truth, noise)) in enumerate(TRUTHS.items()):
        held = crossed_studies(studies, truth, noise, seed=at)
        print(f"| {name} | {' | '.join(f'{100 * share:.1f}' for share in held)} |", flush=True)
    print(f"\nMonte-Carlo error of 95 %: {100 * (0.95 * 0.05 / studies) ** 0.5:.1f} points\n")
    print("| judged by | bias, A | bias, B | bias, C | Monte-Carlo error | 95 % interval holds |")
    print("|---|---|---|---|---|---|")
    count = 60 * studies
    for name, found, given in tuned_table(count, seed=0):
        off = found - given
        error = off.std(axis=0, ddof=1).max() / count**0.5
        told = " | ".join(f"{value:+.4f}" for value in off.mean(axis=0)[:3])
        reach = student(64) * 2 / 128**0.5
        holds = 100 * np.mean(np.abs(off[:, 1]) < reach)
        again = 100 * np.mean(np.abs(found[:, 1] - given[:, 1].mean()) < reach)
        print(f"| {name} | {told} | {error:.4f} | {holds:.1f} ({again:.1f}) |")


if __name__ == "__main__":
    main()
