"""Networks over image sizes: what they cost by formula, and where curves cross. Plain data."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from nextify.costs import cost
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Vit, design
from nextify.errors import InputError
from nextify.scaling.laws.limits import largest
from nextify.scaling.laws.sweeps import Resident

DEFAULT = ("resnet-50", "convnext-tiny", "vit-s-16", "swin-t")  # 4 to 5 GMACs at 224 pixels
SIDES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_BYTES = 4  # of a float32
_GRID = 32  # pixels

Quantity = Literal["macs", "kept", "alive", "seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPoint:
    """A network at one image size, for one image.

    Attributes:
        side: of the square image, in pixels.
        params, macs: by formula. counted: MACs by torch's counter; None: not asked.
        kept: bytes that training keeps, by formula. alive: in use at once in inference.
        seconds: of an answer, measured; None: not asked.
        resident: by how much the process grew for it; None: not asked or not told.
    """

    name: str
    side: int
    params: int
    macs: int
    kept: int
    alive: int
    counted: int | None = None
    seconds: Spread | None = None
    resident: Resident | None = None

    @property
    def resident_bytes(self) -> int | None:
        return None if self.resident is None else self.resident.bytes

    def value(self, quantity: Quantity) -> float | None:
        """A quantity; the median of seconds."""
        match quantity:
            case "macs":
                return self.macs
            case "kept":
                return self.kept
            case "alive":
                return self.alive
            case "seconds":
                return None if self.seconds is None else self.seconds.median


def point(name: str, side: int, classes: int = 1000) -> NetworkPoint:
    """A named design at an image size, by formula.

    >>> point("vit-b-16", 224).macs
    17563828224

    Raises:
        InputError: the design cannot see such images.
    """
    try:
        counted = cost(design(name), side, classes)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return NetworkPoint(
        name=name,
        side=side,
        params=counted.params,
        macs=counted.macs,
        kept=counted.training_bytes,
        alive=counted.inference_bytes,
    )


def bytes_needed(name: str, side: int, classes: int = 1000) -> int:
    """Bytes to answer one image: of weights and of activations at the peak."""
    found = point(name, side, classes)
    return _BYTES * found.params + found.alive


def require_memory(name: str, side: int, limit: int, classes: int = 1000) -> None:
    """Refuse an image size that would not fit, before anything is made.

    Raises:
        InputError: with what it takes, the limit, and what would fit.
    """
    needed = bytes_needed(name, side, classes)
    if needed <= limit:
        return
    step = _step(design(name))
    fitting = step * largest(lambda n: bytes_needed(name, step * n, classes) <= limit, side // step)
    remedy = f"{fitting:,} pixels would fit, or" if fitting else "choose a smaller network, or give"
    raise InputError(
        f"{name} for images of {side:,} pixels takes {needed / 2**30:,.2f} GiB, and the limit is "
        f"{limit / 2**30:,.2f} GiB; {remedy} more memory with --memory"
    )


def _step(one: AnyDesign) -> int:
    """Image sizes that fit are multiples of this."""
    return one.patch_size if isinstance(one, Vit) else 32


def curve(name: str, sides: Sequence[int], classes: int = 1000) -> list[NetworkPoint]:
    """A network by formula, at every 32 pixels between two sizes where it can see images, and at
    these sizes."""
    between = {*range(-(-min(sides) // _GRID) * _GRID, max(sides) + 1, _GRID), *sides}
    one = design(name)
    step = _step(one) if isinstance(one, Vit) else 1
    return [point(name, side, classes) for side in sorted(between) if side % step == 0]


@dataclass(frozen=True, slots=True)
class Crossing:
    """From a size on, one network costs more than another, and below it less.

    Attributes:
        side: in pixels; between measured sizes, where straight lines in log-log coordinates cross.
        more, less: names.
    """

    quantity: Quantity
    side: float
    more: str
    less: str


def crossings(
    curves: Mapping[str, Sequence[NetworkPoint]], quantity: Quantity
) -> Iterator[Crossing]:
    """The last crossing of each pair of curves, at the sizes that both have.

    By formula it is a size on the grid of 32 pixels; of measured seconds, which scatter, it is
    interpolated, and left out where it is between sizes at which the quartiles overlap.
    """
    for one, other in combinations(curves, 2):
        known = {found.side: found for found in curves[other]}
        pairs = [(a, known[a.side]) for a in curves[one] if a.side in known]
        found = _last(pairs, quantity)
        if found is not None:
            side, sign = found
            yield Crossing(quantity, side, *((one, other) if sign > 0 else (other, one)))


Pair = tuple[NetworkPoint, NetworkPoint]


def _last(pairs: Sequence[Pair], quantity: Quantity) -> tuple[float, int] | None:
    """Where the first of two begins to cost more (1) or less (-1) for good."""
    gaps = [_gap(pair, quantity) for pair in pairs]
    if not gaps or gaps[-1] == 0:
        return None
    sign = 1 if gaps[-1] > 0 else -1
    before = next((at for at in reversed(range(len(gaps))) if gaps[at] * sign < 0), None)
    if before is None:
        return None
    if quantity != "seconds":
        return pairs[before + 1][0].side, sign
    if any(_overlap(pair) for pair in pairs[before : before + 2]):
        return None
    low, high = pairs[before][0].side, pairs[before + 1][0].side
    part = gaps[before] / (gaps[before] - gaps[before + 1])
    return low * (high / low) ** part, sign


def _gap(pair: Pair, quantity: Quantity) -> float:
    """The logarithm of the first over the second; 0 where one is not known."""
    first, second = (found.value(quantity) for found in pair)
    return math.log(first / second) if first and second else 0.0


def _overlap(pair: Pair) -> bool:
    first, second = (found.seconds for found in pair)
    return first is not None and second is not None and (
        first.low <= second.high and second.low <= first.high
    )  # fmt: skip


Curves = Mapping[str, Sequence[NetworkPoint]]
OnPoint = Callable[[str, int], None]
"""Called with a name and a size before it is measured."""
