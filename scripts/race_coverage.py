"""How often a race's answer is right: what `nextify choose --from` says, racing included.

    python scripts/race_coverage.py

About four minutes on one core. Prints the tables of docs/choosing.md. Every case is a whole choice
whose truth is known, through the code that `choose` uses: one run each, on half of the images,
chooses the candidates' learning rates; they race with two seeds, judged on held-out images, and up
to four are judged by five fresh seeds on test images. A candidate's truth is its accuracy on all
images at the rate that was chosen for it. Whether a run is right about an image is drawn as
`choice_coverage.py` does it; fewer images cost accuracy, and runs on fewer images differ more.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from nextify.findings.best import compare_with_best
from nextify.findings.expected import to_expect
from nextify.findings.race import finalists, is_over, leaving
from nextify.findings.tuning import suited_rate

Floats = NDArray[np.float64]
Rng = np.random.Generator
PARTS = (0.125, 0.25, 0.5)  # of the images that are not held out
ALL = 1.25  # which the finals are trained on
FINALISTS, RACED, FRESH = 4, 2, 5  # and seeds of the race and of the finals
RATES = (0.3, 1.0, 3.0)
DIFFICULTY, BETWEEN, RUN = 2.0, 0.8, 0.06  # standard deviations, as in choice_coverage.py
SD = 0.013  # between runs of one candidate on 1,000 images
GAINS = (0.06, 0.10, 0.15)  # of accuracy, by the last doubling of the images, and those before


def alike(count: int, better: float = 0.0) -> Callable[[Rng], Floats]:
    """So many, the first better by so many standard deviations."""
    return lambda rng: 0.75 + np.r_[better * SD, np.zeros(count - 1)]


def spread_out(rng: Rng) -> Floats:
    """Eight within 14 points, the best two within one."""
    return 0.80 - np.array([0.0, 0.01, 0.03, 0.05, 0.07, 0.09, 0.12, 0.14])


@dataclass(frozen=True)
class World:
    """A truth.

    Attributes:
        accuracies: of the candidates on all images. more: that doublings bring the first candidate
            beyond what they bring the others, the last one first.
        held_out, test: images. uneven: times the spread of the others, of the last candidate.
        tails: whether runs are t distributed, with three degrees of freedom.
        shared: of the runs' variance in the race, the part that all runs of a seed share.
    """

    name: str
    accuracies: Callable[[Rng], Floats]
    more: tuple[float, ...] = ()
    held_out: int = 500
    test: int = 1000
    uneven: float = 1.0
    tails: bool = False
    shared: float = 0.3


WORLDS = (
    World("four alike", alike(4)),
    World("one of four better by 0.5 sd", alike(4, 0.5)),
    World("by 1 sd", alike(4, 1)),
    World("by 2 sd", alike(4, 2)),
    World("eight alike", alike(8)),
    World("eight within 14 points", spread_out),
    World("the same, 20 held-out and 200 test images", spread_out, held_out=20, test=200),
    World("the same, 2,000 held-out and 5,000 test images", spread_out, held_out=2000, test=5000),
    World("the same, one three times as noisy", spread_out, uneven=3.0),
    World("the same, heavy tails", spread_out, tails=True),
    World("the same, nothing shared by a seed", spread_out, shared=0.0),
    World("the same, the best slow: 5 points more a doubling", spread_out, (0.05, 0.05, 0.05)),
    World("the same, the best 10 points behind until half", spread_out, (0.10,)),
    World("two of four 15 points behind", lambda rng: np.array([0.75, 0.74, 0.60, 0.59])),
)


class Images:
    """A set of images, as candidates see it."""

    def __init__(self, world: World, candidates: int, count: int, rng: Rng) -> None:
        self.world, self.rng = world, rng
        level = DIFFICULTY * rng.normal(size=count)
        self.own = level + BETWEEN * rng.normal(size=(candidates, count))
        self.spread = np.r_[np.ones(candidates - 1), world.uneven]

    def correct(
        self, who: list[int], accuracies: Floats, seeds: Floats, more: float = 1.0
    ) -> NDArray[np.bool_]:
        """(candidates, seeds, images) of runs of some candidates.

        Args:
            accuracies: on new images. seeds: (seeds,) what each has for all in common, standard
                normal. more: times the usual spread between runs.
        """
        shape, tails, shared = (len(who), len(seeds)), self.world.tails, self.world.shared
        draw = self.rng.standard_t(3, shape) / np.sqrt(3) if tails else self.rng.normal(size=shape)
        runs = np.sqrt(1 - shared) * draw * self.spread[who, None] + np.sqrt(shared) * seeds
        scale = np.sqrt(1 + DIFFICULTY**2 + BETWEEN**2 + RUN**2)
        level = scale * norm.ppf(accuracies)[:, None] + self.own[who]
        noise = self.rng.standard_normal((*shape, level.shape[1]), dtype=np.float32)
        return np.asarray(level[:, None] + (RUN * more * runs)[:, :, None] + noise > 0)


def part_of(accuracies: Floats, more: tuple[float, ...], part: float) -> Floats:
    """The accuracies on a part of all images."""
    doublings = np.clip(np.log2(ALL / part) - np.arange(len(GAINS)), 0, 1)
    lost = np.full(len(accuracies), doublings @ GAINS)
    lost[0] += doublings[: len(more)] @ np.array(more)
    return np.maximum(accuracies - lost, 0.05)


def tuned(world: World, images: Images, rng: Rng) -> Floats:
    """The accuracies on all images at the rates that one run each chooses, on half of them."""
    best = world.accuracies(rng)
    every = list(range(len(best)))
    lost = rng.permuted(rng.exponential(0.02, (len(best), 3)) * [0, 1, 1], axis=1)
    seen = np.array([
        images.correct(every, part_of(best - each, world.more, 0.5), rng.normal(size=1), 1.5)
        for each in lost.T
    ]).mean((2, 3))  # fmt: skip
    chosen = [
        suited_rate(dict(zip(RATES, found, strict=True)), world.held_out)
        for found in seen.T.tolist()
    ]
    return best - lost[every, [RATES.index(rate) for rate in chosen]]


def raced(
    world: World, truth: Floats, images: Images, rng: Rng
) -> tuple[list[int], list[int], float]:
    """The finalists, all that have not left, and the runs that it took, of all images."""
    left, laps, spent = list(range(len(truth))), [], 0.0
    seeds = rng.normal(size=RACED)
    while not is_over(len(laps), len(PARTS), len(left), FINALISTS):
        part = PARTS[len(laps)]
        seen = part_of(truth, world.more, part)
        laps.append(images.correct(list(range(len(truth))), seen, seeds, 1.25 - np.log2(part) / 4))
        spent += RACED * part * len(left)
        correct = np.stack(laps, axis=1)[left]
        out = leaving(correct.mean(axis=3), correct, PARTS[: len(laps)], ALL)
        left = [each for each, leaves in zip(left, out, strict=True) if not leaves]
    costs = list(range(len(truth)))[::-1]  # the better, the dearer
    return finalists(laps[-1].mean(axis=(1, 2)), left, costs, FINALISTS), left, spent


def case(world: World, rng: Rng) -> dict[str, float]:
    """What is said of one case, against the truth."""
    count = len(world.accuracies(rng))
    judges = Images(world, count, world.held_out, rng)
    truth = tuned(world, judges, rng)
    last, left, spent = raced(world, truth, judges, rng)
    true, fresh = truth[last], rng.normal(size=FRESH)
    correct = Images(world, count, world.test, rng).correct(last, true, fresh)
    scores = correct.mean(axis=2)
    best = compare_with_best(scores, [True] * len(last), correct)
    expected, at = to_expect(best, scores, correct), best.winner
    assert at is not None and expected and expected.interval
    lead = true[at] - np.delete(true, at).max(initial=-1)
    gap, margin = best.behind_wide[at], best.margin_wide
    named = {last[i] for i in range(len(last)) if best.may_be_best(i)}
    champion = int(truth.argmax())
    return {
        "winner's mean too high": 100 * (best.means[at] - true[at]),
        "accuracy to expect too high": 100 * (expected.value - true[at]),
        "margin": 100 * (margin or 0.0),
        "winner behind the best of all": 100 * (truth.max() - true[at]),
        "left the race": count - len(left),
        "in the finals": len(last),
        "runs, of those without a race": (spent / ALL + FRESH * len(last)) / (FRESH * count),
        "winner's interval": 100 * (expected.interval.low <= true[at] <= expected.interval.high),
        "gap's interval": 100 * (gap is None or gap.low - 1e-12 <= lead <= gap.high + 1e-12),
        "margin holds": 100 * (margin is None or -lead <= margin + 1e-12),
        "best finalist is named": 100 * (last[int(true.argmax())] in named),
        "best of all is named": 100 * (champion in named or champion in set(left) - set(last)),
        "best of all left the race": 100 * (champion not in left),
    }


FIRST = 7  # columns are points, counts and a share of runs; the others per cent of cases


def tables(worlds: tuple[World, ...], cases: int) -> str:
    """The worlds: means over the cases, each with its Monte-Carlo error."""
    found: list[tuple[str, list[str]]] = []
    names: list[str] = []
    for world in worlds:
        rng = np.random.default_rng(WORLDS.index(world))
        told = [case(world, rng) for _ in range(cases)]
        names = list(told[0])
        columns = [np.array([each[name] for each in told]) for name in names]
        words = [f"{v.mean():.2f} ± {v.std() / np.sqrt(cases):.2f}" for v in columns]
        found.append((world.name, words))
        print(*found[-1], file=sys.stderr, flush=True)
    parts = []
    for part in (slice(FIRST), slice(FIRST, None)):
        head = [f"| | {' | '.join(names[part])} |", "|---" * (len(names[part]) + 1) + "|"]
        parts.append("\n".join([*head, *(f"| {n} | {' | '.join(w[part])} |" for n, w in found)]))
    return "\n\n".join(parts)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=500, help="of each line")
    print(tables(WORLDS, parser.parse_args().cases))


if __name__ == "__main__":
    main()
