"""Searching a space for the depths and widths that use a budget best.

With proportions fixed, a total is a quadratic in the first width, so how far a budget reaches is
its root. That is worked out at once for all depths of the space on a grid of growths. The best of
these, and those that are nearly as good and nearest to the proportions of the design to start from,
are rounded to whole widths and then improved: two or three widths at a time move by a few units, as
long as something gets better.
"""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from nextify.costs import Polynomial
from nextify.fitting.space import GROWTH, Space

Floats = NDArray[np.float64]

_GROWTHS = np.linspace(GROWTH[0][0] / GROWTH[0][1], GROWTH[1][0] / GROWTH[1][1], 5)
_SEEDS = 64  # of each kind
_NEARLY = 0.995  # of the best use: proportions decide among these
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Goal:
    """A space, and the budgets.

    Attributes:
        limits: what is counted, and how much of it is allowed.
        depths, widths: of the design to start from, whose proportions are liked.
    """

    space: Space
    limits: list[tuple[Polynomial, int]]
    classes: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]


def search(goal: Goal) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Depths and widths that use the budgets well, for different depths; in no order."""
    depths, widths = _improve(goal, *_seeds(goal))
    use = _use(goal, depths, widths)
    best: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
    for row in np.flatnonzero(_score(use) > 0):
        key = tuple(int(depth) for depth in depths[row])
        found = float(_score(use[row])), tuple(int(width) for width in widths[row])
        best[key] = max(found, best.get(key, found))
    return [(key, found[1]) for key, found in best.items()]


def _coefficients(goal: Goal, one: Polynomial, depths: Floats) -> tuple[Floats, ...]:
    """Constants (rows,); the factors of widths, of products with the width itself, and with the one
    before: each (rows, stages)."""
    table = np.array(one.stages, dtype=np.float64)  # (stages, 5)
    more = depths - 1
    fixed = one.constant + one.classes[0] * goal.classes
    constant = fixed + more @ np.array(one.more_constant, dtype=np.float64)
    linear = table[:, 0] + more * table[:, 3]
    linear[:, -1] += one.classes[1] * goal.classes
    square, cross = table[:, 1] + more * table[:, 4], np.broadcast_to(table[:, 2], depths.shape)
    return constant, linear, square, cross


def _before(widths: Floats) -> Floats:
    """For each stage the width of the one before, 0 for the first."""
    return np.concatenate([np.zeros_like(widths[:, :1]), widths[:, :-1]], axis=1)


def _use(goal: Goal, depths: Floats, widths: Floats) -> Floats:
    """Used over allowed, (rows, budgets). Exact: totals below 2^53 are whole in a float64."""
    columns = []
    for one, allowed in goal.limits:
        constant, linear, square, cross = _coefficients(goal, one, depths)
        total = (widths * (linear + square * widths + cross * _before(widths))).sum(1)
        columns.append((total + constant) / allowed)
    return np.stack(columns, axis=1)


def _score(use: Floats) -> Floats:
    """Larger is better: the least use, then the product; below 0 what breaks a budget."""
    score = use.min(-1) + 1e-12 * use.prod(-1)
    most = use.max(-1)
    return np.asarray(np.where(most <= 1, score, -most))


def _seeds(goal: Goal) -> tuple[Floats, Floats]:
    """Depths and widths to begin with, (rows, stages) each."""
    space = goal.space
    depths = np.array(list(space.depths()), dtype=np.float64)
    steps = np.array(list(product(_GROWTHS, repeat=space.stages - 1)))
    shapes = np.cumprod(np.concatenate([np.ones((len(steps), 1)), steps], axis=1), axis=1)
    at, growth = (index.ravel() for index in np.indices((len(depths), len(shapes))))
    first = _reach(goal, depths, shapes)
    widths = shapes[growth] * first.ravel()[:, None]
    use = _use(goal, depths[at], widths)
    reached = np.where(use.max(1) <= 1 + 1e-9, use.min(1), -use.max(1))
    chosen = _choose(reached, _distance(goal, depths[at], widths), at)
    least, narrowest = (np.array([sizes], dtype=np.float64) for sizes in space.smallest())
    begun = np.concatenate([depths[at][chosen], least])
    return _round(space, begun, np.concatenate([widths[chosen], narrowest]))


def _reach(goal: Goal, depths: Floats, shapes: Floats) -> Floats:
    """The largest first width within the budgets, (depths, shapes)."""
    first = np.full((len(depths), len(shapes)), float(goal.space.first_widths[1]))
    for one, allowed in goal.limits:
        constant, linear, square, cross = _coefficients(goal, one, depths)
        a = square @ (shapes**2).T + cross @ (shapes * _before(shapes)).T
        b = linear @ shapes.T
        room = np.maximum(allowed - constant, 0.0)[:, None]
        # The root in a form that holds for a = 0, too; without bound where widths do not matter.
        slope = b + np.sqrt(b * b + 4 * a * room)
        root = np.divide(2 * room, slope, out=np.full_like(slope, np.inf), where=slope > 0)
        first = np.minimum(first, root)
    return np.asarray(np.maximum(first, goal.space.first_widths[0]))


def _distance(goal: Goal, depths: Floats, widths: Floats) -> Floats:
    """From the proportions of the design to start from: the spread of the logarithms of how many
    times its depths and widths these are. 0 where all are the same multiple."""
    ratios = np.concatenate([depths / goal.depths, widths / goal.widths], axis=1)
    return np.asarray(np.log(ratios).std(1))


def _choose(reached: Floats, distance: Floats, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows to begin with: the best, and the nearest of those that are nearly as good."""
    best = _firsts(np.lexsort((distance, -reached)), at)[:_SEEDS]
    good = np.flatnonzero(reached >= _NEARLY * reached.max())
    near = _firsts(good[np.argsort(distance[good], kind="stable")], at)[:_SEEDS]
    return np.concatenate([best, near])


def _firsts(rows: NDArray[np.int64], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of rows in order, the first one of each depths."""
    _, first = np.unique(at[rows], return_index=True)
    return rows[np.sort(first)]


def _round(space: Space, depths: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """To whole multiples within the bounds: rounded down, and for a second seed to the nearest."""
    found = []
    for half in (0.0, 0.5):
        for row in widths:
            least, most = space.first_widths
            whole: list[int] = []
            for width in row:
                unit = int(width / space.multiple_of + half) * space.multiple_of
                whole.append(min(max(unit, least), most))
                least, most = space.next_widths(whole[-1])
            found.append(whole)
    return np.concatenate([depths, depths]), np.array(found, dtype=np.float64)


def _improve(goal: Goal, depths: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Move widths while that makes rows better: all by little, the best of each depths farther."""
    _climb(goal, depths, widths, _offsets(goal.space, 2, 1))
    order = np.argsort(-_scored(goal, depths, widths), kind="stable")
    _, first = np.unique(depths[order], axis=0, return_index=True)
    best = order[first]
    depths, widths = depths[best], widths[best]
    _climb(goal, depths, widths, _offsets(goal.space, 8, 3))
    return depths, widths


def _climb(goal: Goal, depths: Floats, widths: Floats, offsets: Floats) -> None:
    """Move each row of widths, in place, to the best of its neighbours until none is better."""
    active = np.arange(len(widths))
    score = _scored(goal, depths, widths)
    for _ in range(_ROUNDS):
        moved = widths[active, None] + offsets  # (rows, offsets, stages)
        each = np.broadcast_to(depths[active, None], moved.shape)
        flat = (each.reshape(-1, goal.space.stages), moved.reshape(-1, goal.space.stages))
        scores = _scored(goal, *flat).reshape(moved.shape[:2])
        best = scores.argmax(1)
        found = scores[np.arange(len(active)), best]
        better = found > score[active]
        active, picks = active[better], best[better]
        widths[active] += offsets[picks]
        score[active] = found[better]
        if not len(active):
            return


def _scored(goal: Goal, depths: Floats, widths: Floats) -> Floats:
    """`_score`, and minus infinity outside of the space."""
    least, most = goal.space.first_widths
    (low, low_under), (high, high_under) = GROWTH
    before, after = widths[:, :-1], widths[:, 1:]
    inside = (widths[:, 0] >= least) & (widths[:, 0] <= most)
    inside &= (after * low_under >= before * low).all(1)
    inside &= (after * high_under <= before * high).all(1)
    return np.where(inside, _score(_use(goal, depths, widths)), -np.inf)


def _offsets(space: Space, of_two: int, of_three: int) -> Floats:
    """Moves of two widths by up to `of_two` units, and of three by up to `of_three`."""
    moves = {(0,) * space.stages}
    for count, far in ((2, of_two), (3, of_three)):
        count = min(count, space.stages)
        for places in combinations(range(space.stages), count):
            for amounts in product(range(-far, far + 1), repeat=count):
                moved = dict(zip(places, amounts, strict=True))
                moves.add(tuple(moved.get(stage, 0) for stage in range(space.stages)))
    return np.array(sorted(moves), dtype=np.float64) * space.multiple_of
