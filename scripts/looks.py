"""How often a study says something false at one of several looks, and how often advice settles.

    python scripts/looks.py --studies 1600

About a quarter of an hour on one core. Prints the tables of docs/attribution.md with their
Monte-Carlo standard errors. The plan is the default one: 8 factors, 64 cells of resolution V and
the missing end cell, 2 seeds a cell at first, 4 more on both end cells. The unit of all effects is
the standard deviation between runs. Every look goes through the code that `attribute` uses.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nextify.experiments.coding import Levels
from nextify.experiments.fractions import ATTRIBUTE, fraction, with_ends
from nextify.experiments.intervals import LEVEL, student
from nextify.experiments.looks import chance_of_one, level_of, planned, unplanned
from nextify.findings.advice import Settling, seeds_to_settle, settling
from nextify.findings.answers import (
    Answer,
    Attribution,
    Contribution,
    Counts,
    Estimate,
    Limits,
    NoiseSummary,
)
from nextify.findings.basis import basis
from nextify.findings.cells import gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.measure import contrasts, noise_of, together

Floats = NDArray[np.float64]
K, MOST, LOOKS = 8, 24, 5
NAMES = tuple("ABCDEFGH")
CELLS: Levels = with_ends(fraction(K, ATTRIBUTE))
READ = basis(CELLS, np.ones(len(CELLS)))
ENDS = np.flatnonzero(np.abs(CELLS.sum(axis=1)) == K)


@dataclass(frozen=True)
class Study:
    """All runs that a study could come to have: (cells, seeds) and (2, 4) more of the end cells."""

    scores: Floats
    more: Floats
    truth: Floats

    @classmethod
    def drawn(cls, truth: Floats, rng: np.random.Generator) -> "Study":
        means = CELLS @ truth / 2
        scores = means[:, None] + rng.normal(size=(len(CELLS), MOST * 4))
        return cls(scores, means[ENDS, None] + rng.normal(size=(2, 4)), truth)

    def runs(self, seeds: int) -> FactorRuns:
        """The runs of the first seeds."""
        cell = np.concatenate([np.repeat(np.arange(len(CELLS)), seeds), np.repeat(ENDS, 4)])
        values = np.concatenate([self.scores[:, :seeds].ravel(), self.more.ravel()])
        return FactorRuns(
            factors=NAMES, score="nll", levels=CELLS[cell], cell=cell, seed=np.arange(len(cell)),
            values=values, rate=np.ones(len(cell)), became=("finished",) * len(cell),
        )  # fmt: skip

    def read(self, seeds: int, level: float, margin: float | None = None) -> Attribution:
        """What `attribute` says of contributions at a level: larger is better here."""
        cells = gather(self.runs(seeds))
        noise = noise_of(cells, READ.pairs)
        found = contrasts(noise, READ.weights)
        every = together(found, level)
        told = []
        for at, name in enumerate(NAMES):
            interval = every.narrow[at]
            assert interval is not None
            within = margin is not None and interval.farthest <= margin
            answer: Answer = "negligible" if within else "not resolved"
            if interval.excludes_zero:
                answer = "helps" if found.values[at] > 0 else "hurts"
            one: Estimate = found.estimate(at)
            told.append(Contribution(name, one, interval, answer=answer, within=within))
        spread = NoiseSummary("pure error", noise.sd, noise.df, True, None, None, None, None)
        counts = replace(_COUNTS, cells=len(cells.counts))
        return replace(_EMPTY, contributions=tuple(told), noise=spread, counts=counts,
                       level=level, margin=margin)  # fmt: skip

    def false(self, found: Attribution) -> bool:
        """Whether a verdict is false: an effect where there is none, or on the wrong side."""
        sides = {"helps": 1, "hurts": -1}
        told = [sides.get(each.answer, 0) for each in found.contributions]
        return any(side and side != np.sign(t) for side, t in zip(told, self.truth, strict=True))


_COUNTS = Counts(0, 0, 0, 0, 0, 0, 0)
_LIMITS = Limits(0, 0, (), 0, 0, (), (), 0, False)
_EMPTY = Attribution(
    metric="accuracy", method="two-factor model", estimand="average effect",
    experiment="resolution-5", matched="", counts=_COUNTS, contributions=(), shapley=(), gap=None,
    interactions=(), triples=(), ways=(), rates=None, failures=(),
    noise=NoiseSummary("none", None, 0, False, None, None, None, None), lack_of_fit=None,
    limits=_LIMITS,
)  # fmt: skip

LevelOf = Callable[[int], float]  # of a look


def five_levels() -> dict[str, LevelOf]:
    """The levels of five looks, by kind of look."""
    shares = [look / LOOKS for look in range(1, LOOKS + 1)]
    bounds = planned(shares, chance_of_one(1 - LEVEL, K)).tolist()
    return {
        "95 % each time, as before": lambda look: LEVEL,
        "unplanned": unplanned,
        f"planned (--looks {LOOKS})": lambda look: level_of(bounds[look - 1], K),
    }


def five_looks(study: Study, level: LevelOf) -> list[bool]:
    """Whether a verdict is false at each of five looks, with two more seeds each."""
    looks = range(1, LOOKS + 1)
    return [study.false(study.read(2 * look, level(look))) for look in looks]


def pooled(level: LevelOf, studies: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The same at any of five looks for very many studies: of one spread, pooled over 64 cells,
    only sums are drawn."""
    total, squares = np.zeros((studies, K)), np.zeros(studies)
    false = np.zeros(studies, dtype=np.bool_)
    for look in range(1, LOOKS + 1):
        seeds, df = 2 * look, 64 * (2 * look - 1)
        total += np.sqrt(2) * rng.normal(size=total.shape)
        squares += rng.chisquare(64 if look == 1 else 128, size=studies)
        t = np.abs(total).max(axis=1) / np.sqrt(seeds * squares / df)
        false |= t > student(df, K, level(look))
    return false


def as_advised(study: Study, margin: float | None) -> list[bool]:
    """Whether a verdict is false at each look, where the suggested command is taken each time."""
    seeds, false = 2, []
    for look in range(1, LOOKS + 1):
        found = study.read(seeds, unplanned(look), margin)
        false.append(study.false(found))
        advised = advice(found, seeds, unplanned(look + 1))
        if advised is None or advised.seeds > study.scores.shape[1]:
            break
        seeds = advised.seeds
    return false


def advice(found: Attribution, there: int, level: float) -> Settling | None:
    """What "What to run next" suggests: see `nextify.report.factors.next_runs`."""
    if found.margin is None:
        return settling(found, there, 2 * there, level)
    return seeds_to_settle(found, there, level, 12 * there)


def advised(studies: int, margins: Sequence[float], rng: np.random.Generator) -> list[Floats]:
    """Of advice at the first look, taken: (said, happened) of effects of the margin's size, and of
    effects that are not there."""
    found, missing = [], []
    for _ in range(studies):
        margin = float(np.exp(rng.uniform(*np.log(margins))))
        truth = margin * rng.choice([0, 0, 1, -1], size=K)
        study = Study.drawn(truth, rng)
        first = study.read(2, unplanned(1), margin)
        told = advice(first, 2, unplanned(2))
        if told is None:
            continue
        then = study.read(told.seeds, unplanned(2), margin)
        for one, other, effect in zip(first.contributions, then.contributions, truth, strict=True):
            if one.answer != "not resolved":
                continue
            if effect:
                found.append((told.found, other.answer == ("helps" if effect > 0 else "hurts")))
            else:
                missing.append((told.missing, other.within))
    return [np.array(found, dtype=float), np.array(missing, dtype=float)]


def percent(hits: Sequence[bool] | Floats) -> str:
    """A share with its standard error."""
    share, n = float(np.mean(hits)), len(hits)
    return f"{100 * share:.1f} ({100 * np.sqrt(share * (1 - share) / n):.1f})"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n = options.studies
    print("| levels of five looks, two more seeds each | at the first | at any | at any, pooled |")
    print("|---|---|---|---|")
    for name, level in five_levels().items():
        rng = np.random.default_rng(options.seed)
        told = [five_looks(Study.drawn(np.zeros(K), rng), level) for _ in range(n)]
        first, every = [each[0] for each in told], [any(each) for each in told]
        many = pooled(level, 30 * n, rng)
        print(f"| {name} | {percent(first)} | {percent(every)} | {percent(many)} |", flush=True)
    print("\n| suggested command, up to five looks | effects | false at any | looks |")
    print("|---|---|---|---|")
    for margin in (None, 0.3, 0.6):
        for effects, truth in (("none", [0] * K), ("some", [0.3, -0.3, 0.6, -0.6, 0, 0, 0, 0])):
            rng = np.random.default_rng(options.seed + 1)
            true = np.array(truth, dtype=float)
            told = [as_advised(Study.drawn(true, rng), margin) for _ in range(n // 2)]
            looks = np.mean([len(each) for each in told])
            name = "no margin: twice the seeds" if margin is None else f"margin {margin} sd"
            false = percent([any(each) for each in told])
            print(f"| {name} | {effects} | {false} | {looks:.1f} |", flush=True)
    print("\n| margin, sd | found, said | found | shown smaller, said | shown smaller | factors |")
    print("|---|---|---|---|---|---|")
    for margins in ((0.3, 0.3), (0.45, 0.45), (0.6, 0.6), (0.3, 0.9)):
        rng = np.random.default_rng(options.seed + 2)
        pair = advised(n // 2, margins, rng)
        cells = [f"{100 * each[:, 0].mean():.1f} | {percent(each[:, 1])}" for each in pair]
        name = f"{margins[0]}" if margins[0] == margins[1] else f"{margins[0]} to {margins[1]}"
        print(f"| {name} | {' | '.join(cells)} | {sum(map(len, pair))} |", flush=True)


if __name__ == "__main__":
    main()
