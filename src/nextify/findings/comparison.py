"""Networks on several numbers of training images: who is better, where, and who gains more.

On each number of images by itself, the model is that of `nextify.findings.blocks`

    score = network + seed + error

with a spread of its own: runs on fewer images differ more from seed to seed. A seed also draws the
training images, the same for all networks, so that its block holds what is particular to the draw.

A network's gain with a seed is its score on the largest number of images minus that on the
smallest. Gains are scores like others: the same model, fitted to the table of networks by seeds,
gives each gain and each gain's difference to the baseline's with an interval. The spread of gains
is their own, so nothing is assumed of how runs with one seed on few and on many images go together.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Literal

import numpy as np

from nextify.errors import InputError
from nextify.experiments.coding import Floats
from nextify.findings.best import compare_with_best
from nextify.findings.blocks import fit_blocks
from nextify.findings.differences import (
    Compared,
    Correct,
    Verdict,
    compared,
    correctness_of,
    difference,
    holm,
)
from nextify.findings.outcomes import Otherwise, Rests, otherwise
from nextify.findings.scores import AnyScore, better_of, grid, scores
from nextify.records.plan import Plan
from nextify.records.record import Record

BASELINE = 0


@dataclass(frozen=True, slots=True)
class Standings(Compared):
    """The networks on one number of training images, each against the baseline.

    Attributes:
        images: the number.
        leader: index of the network with the best mean; None without a score.
        rivals: the networks that cannot be told apart from the best, the leader among them:
            neither for all together, whichever leads (multiple comparisons with the best, Hsu
            1984, one-sided), nor by their own difference to the leader (two-sided); 95 % each.
            None where no spread is known to judge by.
        rests: why neither is certain: another reading of the runs has another leader, or other
            rivals; empty otherwise.
    """

    images: int
    leader: int | None
    rivals: tuple[int, ...] | None
    rests: Rests | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A network and the baseline change places from one number of images to another.

    On both their difference is resolved, and has opposite signs; on none between is it resolved.

    Attributes:
        network: its index. fewer, more: the two numbers of images.
        verdict: on the larger one: `"up"` where the network has the higher score there.
    """

    network: int
    fewer: int
    more: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Networks compared; the first is the baseline.

    Attributes:
        networks: their labels. images: the numbers of training images, ascending.
        at: one a number of images. `holm` of its differences is over all numbers together.
        gains: what more images bring: the score on the largest number minus that on the smallest,
            over the seeds with a score on both. Differences are to the baseline's gain; `holm` is
            over these alone. None with one number of images.
        crossings: by network, then by number of images.
    """

    networks: tuple[str, ...]
    images: tuple[int, ...]
    at: tuple[Standings, ...]
    gains: Compared | None
    crossings: tuple[Crossing, ...]


def measure_comparison(
    plan: Plan, records: Iterable[Record], metric: AnyScore = "accuracy"
) -> Comparison:
    """Means, differences to the baseline and gains of a comparison's networks, from its records.

    Intervals are 95 %, Student's t, each by itself. They cover new seeds, and with them new draws
    of the training images where images were drawn; the `wide` ones new test images too.
    Diverged and failed runs have no score: means are over the runs that finished. Where a verdict
    does not hold with the diverged runs at chance, or without the runs that learned nothing, there
    is none.

    >>> measure_comparison(plan, records).at[-1].leader  # doctest: +SKIP
    1

    Raises:
        InputError: the plan is no comparison, or two of its cells are one network on one number.
    """
    where = places(plan)
    networks = tuple(dict.fromkeys(network for network, _ in where))
    images = tuple(sorted({number for _, number in where}))
    cell = np.array([[where.get((name, number), -1) for number in images] for name in networks])
    runs = grid(plan, records)
    values, correct = scores(runs, metric)[cell], correctness_of(runs, metric)[cell]
    values[cell < 0] = np.nan  # a network that the plan has not on this number
    others = [[each.part(cell[:, i]) for each in otherwise(plan, runs, metric)]
              for i in range(len(images))]  # fmt: skip
    tables = [
        _to_baseline(networks, values[:, i], correct[:, i], others[i]) for i in range(len(images))
    ]
    together = iter(holm([move for each in tables for move in each.differences]))
    at = []
    for found, number, read in zip(tables, images, others, strict=True):
        moves = tuple(islice(together, len(networks)))
        leading = _leading(better_of(metric) * found.spread.scores)
        reasons = (
            each.reason
            for each in read
            if each.concerned.any() and _leading(better_of(metric) * each.values) != leading
        )
        no_reason: Literal[""] = ""
        rests = next(reasons, no_reason)
        at.append(Standings(found.means, moves, found.spread, number, *leading, rests))
    gains = None
    if len(images) > 1:
        more = values[:, -1] - values[:, 0], correct[:, -1] - correct[:, 0]
        ends = zip(others[-1], others[0], strict=True)
        gained = [
            Otherwise(on.reason, on.values - off.values, on.concerned | off.concerned)
            for on, off in ends
        ]
        found = _to_baseline(networks, *more, gained)
        gains = Compared(found.means, holm(found.differences), found.spread)
    return Comparison(networks, images, tuple(at), gains, tuple(_crossings(at)))


def places(plan: Plan) -> dict[tuple[str, int], int]:
    """Where a network's cell on a number of images stands among the plan's.

    Raises:
        InputError: the plan is no comparison, or two cells are one network on one number.
    """
    if plan.experiment != "comparison":
        raise InputError(
            f"study {plan.title!r} has experiment {plan.experiment!r}; networks can be compared in "
            "a study of nextify compare only"
        )
    found = [(cell.network, plan.images_of(cell)) for cell in plan.cells]
    (network, images), times = Counter(found).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"study {plan.title!r} has network {network!r} on {images:,} images {times} times; the "
            "study file was not made by this version of nextify"
        )
    return {each: at for at, each in enumerate(found)}


def _leading(values: Floats) -> tuple[int | None, tuple[int, ...] | None]:
    """The network with the highest mean, and those that cannot be told apart from the best."""
    best = compare_with_best(values, [True] * len(values))
    judged = [at for at, interval in enumerate(best.behind) if interval is not None]
    if best.winner is None or not judged:
        return best.winner, None
    model = fit_blocks(values)
    no_images = np.zeros((*values.shape, 0), dtype=np.int8)
    to_leader = {at: difference(model, no_images, best.winner, at) for at in judged}
    rivals = tuple(
        at
        for at, move in to_leader.items()
        if at == best.winner or best.may_be_best(at) or move.verdict != "down"
    )
    return best.winner, rivals


def _to_baseline(
    networks: Sequence[str], values: Floats, correct: Correct, others: Sequence[Otherwise]
) -> Compared:
    references = (-1, *[BASELINE] * (len(networks) - 1))
    return compared(fit_blocks(values), correct, networks, references, others)


def _crossings(at: Sequence[Standings]) -> Iterator[Crossing]:
    for network in range(len(at[0].means)):
        resolved = [
            (each.images, each.differences[network].verdict)
            for each in at
            if each.differences[network].resolved
        ]
        for (fewer, before), (more, after) in pairwise(resolved):
            if before != after:
                yield Crossing(network, fewer, more, after)
