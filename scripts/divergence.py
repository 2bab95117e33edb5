"""How often attribution is wrong about a factor that only makes runs diverge, or learn nothing.

    python scripts/divergence.py --studies 300

Prints the table of docs/attribution.md, then one line of JSON. The plan is the default one: 8
factors, 64 cells of resolution V and the missing end cell, 2 seeds a cell, 4 more on both end
cells; 138 runs, tested on 10,000 images of 10 equal classes. Factor D has no effect on a run's
accuracy; of the runs in which it is made the worst share diverge (so many on average), as training
does that is close to divergence. "Worst" is by the run's own luck, or by its whole score, its
cell's mean in it. Every study goes through the code that `attribute` uses.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nextify.designs import Factor, path, recipe
from nextify.experiments.coding import columns
from nextify.experiments.fractions import ATTRIBUTE, fraction, with_ends
from nextify.findings.answers import Attribution
from nextify.findings.attribute import attribute_runs
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.judged import judged
from nextify.findings.outcomes import RESTS, Chance
from nextify.findings.scores import Score
from nextify.records import Cell, Plan

NAMES = tuple("ABCDEFGH")
MEAN, SD, CHANCE, IMAGES = 0.80, 0.005, 0.10, 10_000
MAIN = {(0,): 0.5, (1,): 0.25, (5,): -0.25, (6,): -0.5}  # betas in standard deviations
D = 3  # the factor whose runs diverge


@dataclass(frozen=True)
class Case:
    """What becomes of the worst `share` of the runs in which D is made.

    Attributes:
        by: what is worst: the run's luck, or its score. then: `"diverged"` or `"learned nothing"`.
    """

    share: float
    by: str = "luck"
    then: str = "diverged"
    score: Score = "accuracy"


CASES = (
    Case(0.0), Case(0.1), Case(0.2), Case(0.31), Case(0.2, by="score"), Case(0.2, score="nll"),
    Case(0.2, then="learned nothing"),
)  # fmt: skip


def layout() -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Levels (n, k) and cells (n,) of the default plan's runs."""
    cells = with_ends(fraction(len(NAMES), ATTRIBUTE))
    is_end = np.abs(cells.sum(axis=1)) == len(NAMES)
    cell = np.repeat(np.arange(len(cells)), 2 + 4 * is_end)
    return cells[cell], cell


def experiment() -> Plan:
    """A plan that says what kind of study it is; its runs are drawn here."""
    step = path("small").steps[0]
    cell = Cell(name="-", changed="", design=step.design, recipe_name=step.recipe,
                recipe=recipe(step.recipe), params=1, macs=1, made=())  # fmt: skip
    factors = tuple(Factor(name, (name,)) for name in NAMES)
    return Plan(name="small", title="simulated", cells=(cell,), seeds=(0,), data={},
                data_source="", experiment="resolution-5", factors=factors)  # fmt: skip


def drawn(case: Case, rng: np.random.Generator) -> FactorRuns:
    """The runs of one study."""
    levels, cell = layout()
    luck = rng.normal(size=len(cell))
    mean = columns(levels, tuple(MAIN)) @ np.array(list(MAIN.values()))
    made = levels[:, D] > 0
    worst, usual = luck, stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
    if case.by == "score":
        worst, usual = luck + mean, (mean[made, None] + usual).ravel()
    lost = made & (worst < np.quantile(usual, case.share)) & (case.share > 0)
    values = MEAN + SD * (mean + luck)
    if case.score == "nll":
        values = 1.0 - values
    diverged = lost & (case.then == "diverged")
    nothing = lost & ~diverged
    guessed = rng.binomial(IMAGES, CHANCE, len(cell)) / IMAGES
    return FactorRuns(
        factors=NAMES,
        score=case.score,
        levels=levels,
        cell=cell,
        seed=np.arange(len(cell)),
        values=np.where(diverged, np.nan, np.where(nothing, guessed, values)),
        rate=np.ones(len(cell)),
        became=tuple("diverged" if each else "finished" for each in diverged),
        nothing=nothing,
        chance=Chance(CHANCE, IMAGES),
    )


def answered(found: Attribution) -> Iterator[tuple[str, str]]:
    """What is said of D, by all readings together and by each alone, and of A, which helps."""
    yield "D", found.contributions[D].answer
    yield "A", found.contributions[0].answer
    for each in found.readings:
        yield each.reading, each.contributions[D].answer


def row(case: Case, studies: int, seed: int = 0) -> dict[str, float | str]:
    """Shares of studies in per cent."""
    plan, counts = experiment(), Counter[tuple[str, str]]()
    for study in range(studies):
        runs = drawn(case, np.random.default_rng([seed, study]))
        counts.update(answered(judged(runs, lambda each: attribute_runs(plan, each))))

    def share(who: str, *answers: str) -> float:
        return 100 * sum(counts[who, each] for each in answers) / studies

    return {
        "worst": f"{100 * case.share:.0f} % by {case.by}",
        "become": case.then,
        "score": case.score,
        "helps": share("D", "helps"),
        "hurts": share("D", "hurts"),
        "no verdict": share("D", *RESTS),
        "finished only helps": share("finished runs", "helps"),
        "at chance hurts": share("diverged at chance", "hurts") + share("diverged last", "hurts"),
        "A helps": share("A", "helps", "hurts"),
    }


def main() -> None:
    """Print the table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=300)
    asked = parser.parse_args()
    rows = []
    for case in CASES:
        rows.append(row(case, asked.studies))
        if len(rows) == 1:
            print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
        cells = (f"{each:.1f}" if isinstance(each, float) else each for each in rows[-1].values())
        print("| " + " | ".join(cells) + " |", flush=True)
    print(f"Monte-Carlo standard error: at most {50 / asked.studies**0.5:.2f} points; of a share "
          f"of 2.5 %, {100 * (0.025 * 0.975 / asked.studies) ** 0.5:.2f}")  # fmt: skip
    print(json.dumps({"studies": asked.studies, "rows": rows}))


if __name__ == "__main__":
    main()
