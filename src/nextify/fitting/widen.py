"""`match_width`: a transformer rescaled in width until it costs a number of MACs."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd, lcm, log

from nextify.costs import totals
from nextify.designs import AnyDesign, Design, Swin, Transformer, known_design
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.words import read_count

WITHIN = 0.02  # of the target
# Numbers of heads that are tried to either side of the ideal one; more where none of these is near
# enough, as small heads are coarse steps.
_FAR = (3, 12)
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
    design: Transformer | str,
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
        design: a ViT or a Swin, or its name.
        macs: for one image, a number or a text as `"4.5G"`.
        image_size, classes: that they are counted for.

    Raises:
        InputError: a target that is none; images that the design cannot see; a design that is
            convolutional.
    """
    goal = read_count("macs", macs)
    design = _known_transformer(design)

    def cost_of(one: Transformer) -> int:
        return totals(one, image_size, classes).macs

    for far in _FAR:
        found = []
        for heads in _heads_around(design, far, goal, cost_of):
            for one in _nearest(design, heads, goal, cost_of):
                cost = cost_of(one)
                found.append(Widened(one, cost, cost / goal - 1, (one.head_size, design.head_size)))
        alike = [one for one in found if one.stretch <= _STRETCH] or found
        within = [one for one in alike if abs(one.gap) <= WITHIN]
        if within:
            return min(within, key=lambda one: (one.stretch, abs(one.gap)))
    return min(alike, key=lambda one: (abs(one.gap), one.stretch))


def _known_transformer(of: AnyDesign | str) -> Transformer:
    design = known_design(of)
    if isinstance(design, Design):
        raise InputError(
            "match_width works with transformers, and this design is convolutional; use match_cost"
        )
    return design


def _heads_around(
    design: Transformer, far: int, goal: float, cost_of: Callable[[Transformer], int]
) -> list[tuple[int, ...]]:
    """Heads of each stage, in their proportions, around those that cost the target at the size of a
    head that is there: so many more and fewer. Counted, as no power of the width is right: linear
    layers grow with its square, and attention, which leads on large images, with the width."""
    heads = design.heads if isinstance(design, Swin) else (design.heads,)
    times = gcd(*heads)

    def at(unit: int) -> tuple[int, ...]:
        return tuple(own // times * unit for own in heads)

    def cost_at(unit: int) -> int:
        return cost_of(_with_heads(design, design.width // times * unit, at(unit)))

    units = range(1, _MOST_WIDTH // (design.width // times) + 1)
    cheaper = bisect_left(units, goal, key=cost_at)
    return [at(unit) for unit in range(max(1, cheaper - far + 1), cheaper + far + 1)]


def _with_heads(design: Transformer, width: int, heads: tuple[int, ...]) -> Transformer:
    given = heads if isinstance(design, Swin) else heads[0]
    return with_fields(design, {"width": width, "heads": given})


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
        return _with_heads(design, count * least, heads)

    counts = range(1, _MOST_WIDTH // least + 1)
    cheaper = bisect_left(counts, goal, key=lambda count: cost_of(at(count)))
    return [at(count) for count in (cheaper + 1, cheaper) if count]
