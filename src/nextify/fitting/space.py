"""Where designs for a budget are looked for: designs with the proportions of a ConvNeXt.

The bounds are what keeps degenerate designs away (one block of huge width uses a budget, too):

- Depths: one stage, the *deep* one, is the last but one (stage 3 of 4). The others have b or b + 1
  blocks, b from 1 to 6; the deep one has 2 to 9 times b. ConvNeXt's published depths lie within:
  (2, 2, 6, 2), (3, 3, 9, 3), (3, 3, 27, 3).
- Widths: the first is from 8 to 2048; each is 1.5 to 2.5 times the one before.
- Everything else is as in the design that the search starts from, but for the fields left free.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from nextify.errors import InputError
from nextify.words import whole_number

SIDE = (1, 6)
DEEP = (2, 9)
FIRST_WIDTH = (8, 2048)
GROWTH = ((3, 2), (5, 2))  # as fractions: bounds are exact
MOST_STAGES = 6


@dataclass(frozen=True, slots=True)
class Space:
    """Depths and widths within the bounds above.

    >>> Space(4).smallest()
    ((1, 1, 2, 1), (8, 12, 18, 27))

    Attributes:
        stages: how many. multiple_of: what all widths are multiples of.
    """

    stages: int
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.stages <= MOST_STAGES:
            raise InputError(
                f"the design to start from has {self.stages} stages; give one with at most "
                f"{MOST_STAGES}"
            )
        multiple_of = whole_number("multiple_of", self.multiple_of, FIRST_WIDTH[1])
        object.__setattr__(self, "multiple_of", multiple_of)

    @property
    def deep(self) -> int:
        """The index of the deep stage."""
        return max(self.stages - 2, 0)

    @property
    def first_widths(self) -> tuple[int, int]:
        """The least and the largest first width."""
        unit = self.multiple_of
        return -(-FIRST_WIDTH[0] // unit) * unit, FIRST_WIDTH[1] // unit * unit

    def depths(self) -> Iterator[tuple[int, ...]]:
        """All depths, each once."""
        seen = set()
        for side in range(SIDE[0], SIDE[1] + 1):
            sides = list(product((side, side + 1), repeat=self.stages - 1))
            for deep, others in product(range(DEEP[0] * side, DEEP[1] * side + 1), sides):
                depths = (*others[: self.deep], deep, *others[self.deep :])
                if depths not in seen:
                    seen.add(depths)
                    yield depths

    def next_widths(self, width: int) -> tuple[int, int]:
        """The least and the largest width of the stage after one of this width."""
        (low, low_under), (high, high_under) = GROWTH
        unit = self.multiple_of
        least = -(-width * low // (low_under * unit)) * unit
        return least, width * high // (high_under * unit) * unit

    def smallest(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The depths and widths that are least in every stage: no design here costs less."""
        widths = [self.first_widths[0]]
        while len(widths) < self.stages:
            widths.append(self.next_widths(widths[-1])[0])
        depths = [SIDE[0]] * self.stages
        depths[self.deep] = DEEP[0] * SIDE[0]
        return tuple(depths), tuple(widths)

    def sample(self, draw: random.Random) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Random depths and widths: the blocks and the growth of widths uniform, the first width
        uniform in its logarithm."""
        side = draw.randint(*SIDE)
        depths = [side + draw.randint(0, 1) for _ in range(self.stages)]
        depths[self.deep] = draw.randint(DEEP[0] * side, DEEP[1] * side)
        least, most = self.first_widths
        unit = self.multiple_of
        first = round(least * (most / least) ** draw.random() / unit) * unit
        widths = [min(max(first, least), most)]
        while len(widths) < self.stages:
            least, most = self.next_widths(widths[-1])
            widths.append(draw.randrange(least, most + 1, unit))
        return tuple(depths), tuple(widths)
