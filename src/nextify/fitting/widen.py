"""`match_width`: a transformer rescaled in width until it costs a number of MACs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import gcd, log

from nextify.costs import totals
from nextify.designs import Swin, Transformer, Vit
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

    before = design.head_size
    found = []
    for unit in _units(design, goal, cost_of(design)):
        for one in _nearest(design, unit, goal, cost_of):
            cost = cost_of(one)
            found.append(Widened(one, cost, cost / goal - 1, (one.head_size, before)))
    alike = [one for one in found if one.stretch <= _STRETCH] or found
    within = [one for one in alike if abs(one.gap) <= WITHIN]
    if within:
        return min(within, key=lambda one: (one.stretch, abs(one.gap)))
    return min(alike, key=lambda one: (abs(one.gap), one.stretch))


def _proportions(design: Transformer) -> tuple[tuple[int, ...], int]:
    """The heads of the stages in lowest terms, and how many times that the design has."""
    heads = (design.heads,) if isinstance(design, Vit) else design.heads
    times = gcd(*heads)
    return tuple(head // times for head in heads), times


def _units(design: Transformer, goal: float, now: int) -> Iterator[int]:
    """Multiples of the heads in lowest terms, around the one that the target suggests: MACs grow
    with the square of the width where linear layers lead."""
    _, times = _proportions(design)
    ideal = round(times * (goal / now) ** 0.5)
    yield from sorted({max(1, ideal + step) for step in _HEADS})


def _nearest(
    design: Transformer, unit: int, goal: float, cost_of: Callable[[Transformer], int]
) -> Iterator[Transformer]:
    """With so many heads, the narrowest design that costs the target or more, and the one before
    it."""
    least = _step(design, unit)

    def at(count: int) -> Transformer:
        return _made(design, unit, count * least)

    low, high = 0, 1
    while cost_of(at(high)) < goal and high * least < _MOST_WIDTH:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cost_of(at(middle)) < goal else (low, middle)
    yield at(high)
    if low:
        yield at(low)


def _step(design: Transformer, unit: int) -> int:
    """The least first width that every stage's heads divide."""
    lowest, _ = _proportions(design)
    width = 1
    for stage, heads in enumerate(lowest):
        own = heads * unit
        need = own // gcd(own, 2**stage)
        width = width * need // gcd(width, need)
    return width


def _made(design: Transformer, unit: int, width: int) -> Transformer:
    lowest, _ = _proportions(design)
    match design:
        case Vit():
            return with_fields(design, {"width": width, "heads": unit})
        case Swin():
            heads = tuple(head * unit for head in lowest)
            return with_fields(design, {"width": width, "heads": heads})
