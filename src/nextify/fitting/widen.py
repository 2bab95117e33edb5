"""`match_width`: a transformer rescaled in width until it costs a number of MACs."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, lcm, log

from nextify.costs import totals
from nextify.designs import Swin, Transformer
from nextify.designs.fields import with_fields
from nextify.words import read_count

WITHIN = 0.02  # of the target
_HEADS = (0, -1, 1, -2, 2)  # numbers of heads that are tried, around the ideal one
_STRETCH = log(2.2)  # of the size of a head, if it can be avoided
_MOST_WIDTH = 1 << 20


@dataclass(frozen=True, slots=True)
class Widened:
    """A transformer brought to a cost.

    Attributes:
        macs: what it costs. gap: relative to the target: 0.01 is 1 % above.
        head_size: channels of a head, and of the design before.
    """

    design: Transformer
    macs: int
    gap: float
    head_size: tuple[float, float]

    @property
    def stretch(self) -> float:
        """By what the size of a head has changed, as a logarithm."""
        after, before = self.head_size
        return abs(log(after / before))


def match_width(
    design: Transformer,
    macs: int | float | str,
    *,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
) -> Widened:
    """The transformer as wide as makes it cost so many MACs for one image.

    The size of a head stays: there are more or fewer heads, in the proportions of the stages. Whole
    heads alone are coarse steps (ViT-B/16 with one more costs 16 % more), so that the width is
    any multiple of the number of heads: of all within 2 % of the target, that which changes the
    size of a head least; if none is, the nearest whose heads stay within about half to twice as
    large. Depth, patches and windows stay.

    >>> from nextify.designs import design
    >>> found = match_width(design("vit-b-16"), "4.5G")
    >>> found.design.width, found.design.heads, found.head_size, f"{found.gap:+.1%}"
    (378, 6, (63.0, 64.0), '-0.8%')

    Args:
        macs: for one image, a number or a text as `"4.5G"`.
        image_size, classes: that they are counted for.

    Raises:
        InputError: a target that is none; images that the design cannot see.
    """
    goal = read_count("macs", macs)

    def cost_of(one: Transformer) -> int:
        return totals(one, image_size, classes).macs

    heads = design.heads if isinstance(design, Swin) else (design.heads,)
    times = gcd(*heads)
    # MACs grow with the square of the width where linear layers lead.
    ideal = round(times * (goal / cost_of(design)) ** 0.5)
    found = []
    for unit in sorted({max(1, ideal + step) for step in _HEADS}):
        own = tuple(head // times * unit for head in heads)
        for one in _nearest(design, own, goal, cost_of):
            cost = cost_of(one)
            found.append(Widened(one, cost, cost / goal - 1, (one.head_size, design.head_size)))
    alike = [one for one in found if one.stretch <= _STRETCH] or found
    within = [one for one in alike if abs(one.gap) <= WITHIN]
    if within:
        return min(within, key=lambda one: (one.stretch, abs(one.gap)))
    return min(alike, key=lambda one: (abs(one.gap), one.stretch))


def _nearest(
    design: Transformer,
    heads: tuple[int, ...],
    goal: float,
    cost_of: Callable[[Transformer], int],
) -> list[Transformer]:
    """With so many heads in each stage, the narrowest design that costs the target or more, and the
    one before it."""
    # The least first width that every stage's heads divide.
    least = lcm(*(own // gcd(own, 2**stage) for stage, own in enumerate(heads)))

    def at(count: int) -> Transformer:
        given = heads if isinstance(design, Swin) else heads[0]
        return with_fields(design, {"width": count * least, "heads": given})

    counts = range(1, _MOST_WIDTH // least + 1)
    cheaper = bisect_left(counts, goal, key=lambda count: cost_of(at(count)))
    return [at(count) for count in (cheaper + 1, cheaper) if count]
