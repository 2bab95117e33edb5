"""What `fit` has to beat: the best of many random designs of the same space."""

import random
from itertools import pairwise
from math import prod

from nextify.costs import form_of
from nextify.designs import Design
from nextify.fitting import BUDGETS
from nextify.fitting.space import Space


def holds(space: Space, depths: tuple[int, ...], widths: tuple[int, ...]) -> bool:
    """Whether these are within the bounds of the space."""
    first, last = space.first_widths
    return (
        first <= widths[0] <= last
        and all(width % space.multiple_of == 0 for width in widths)
        and all(
            least <= after <= most
            for width, after in pairwise(widths)
            for least, most in (space.next_widths(width),)
        )
        and depths in set(space.depths())
    )


def random_search(
    space: Space,
    base: Design,
    budgets: dict[str, int],
    image_size: int,
    classes: int,
    tries: int,
    draw: random.Random,
) -> tuple[float, float]:
    """The best use of the budgets, as `Fitted.rank`; (0, 0) where none keeps them."""
    form = form_of(base, image_size)
    limits = [(getattr(form, BUDGETS[name]), allowed) for name, allowed in budgets.items()]
    best = (0.0, 0.0)
    for _ in range(tries):
        depths, widths = space.sample(draw)
        use = [total.at(depths, widths, classes) / allowed for total, allowed in limits]
        if max(use) <= 1:
            best = max(best, (min(use), prod(use)))
    return best


def random_budgets(
    space: Space, base: Design, image_size: int, classes: int, draw: random.Random
) -> dict[str, int]:
    """One to three budgets, each around what one random design of the space costs."""
    form = form_of(base, image_size)
    names = draw.sample(list(BUDGETS), draw.randint(1, 3))
    depths, widths = space.sample(draw)
    while max(widths) > 4000:
        depths, widths = space.sample(draw)
    return {
        name: int(getattr(form, BUDGETS[name]).at(depths, widths, classes) * draw.uniform(0.7, 1.4))
        for name in names
    }
