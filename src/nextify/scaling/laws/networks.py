"""Networks over image sizes: what they cost by formula, and where curves cross. Plain data."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations, groupby, pairwise
from typing import Literal

from nextify.costs import Cost, cost
from nextify.costs.layer import values_of
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Design, Swin, Vit, design
from nextify.designs.fields import read_fields
from nextify.errors import InputError
from nextify.scaling.laws.limits import BYTES, ONCE, largest
from nextify.scaling.laws.sweeps import Resident
from nextify.words import bytes_in_words

DEFAULT = ("resnet-50", "convnext-tiny", "vit-s-16", "swin-t")  # 4 to 5 GMACs at 224 pixels
SIDES = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_GRID = 32  # pixels: all but ViTs with other patches take these sizes

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

    def value(self, quantity: Quantity) -> float | None:
        """A quantity; the median of seconds."""
        if quantity == "seconds":
            return None if self.seconds is None else self.seconds.median
        return int(getattr(self, quantity))


Curves = Mapping[str, Sequence[NetworkPoint]]  # of each network


@cache
def network(text: str) -> AnyDesign:
    """A design by name, and fields that it has otherwise.

    >>> network("swin-t window=8").window
    8

    Raises:
        InputError: an unknown name or field, or a value that the field does not take.
    """
    name, *changes = text.split()
    (fields,) = read_fields(changes, type(design(name)))
    return design(name, **fields)


def read_names(text: str) -> tuple[str, ...]:
    """Networks from text: names with fields, apart by commas. A comma before a number is one of a
    field's value.

    >>> read_names("swin-t window=8, convnext-tiny depths=3,3,27,3,vit-s-16")
    ('swin-t window=8', 'convnext-tiny depths=3,3,27,3', 'vit-s-16')

    Raises:
        InputError: as `network` does.
    """
    parts = re.split(r",\s*(?![0-9\s])", text)
    names = tuple(dict.fromkeys(" ".join(part.split()) for part in parts))
    if "" in names:
        raise InputError(f"--only is {text!r}; give names of designs, as resnet-50,vit-s-16")
    for name in names:
        network(name)
    return names


def point(name: str, side: int, classes: int = 1000) -> NetworkPoint:
    """A named design at an image size, by formula.

    >>> point("vit-b-16", 224).macs
    17563828224

    Raises:
        InputError: the design cannot see such images.
    """
    of = _cost(name, side, classes)
    kept, alive = of.training_bytes, of.inference_bytes
    return NetworkPoint(
        name=name, side=side, params=of.params, macs=of.macs, kept=kept, alive=alive
    )


def _cost(name: str, side: int, classes: int) -> Cost:
    try:
        return cost(network(name), side, classes)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def alive_at_most(name: str, side: int, classes: int = 1000) -> int:
    """Bytes of tensors alive at once in inference, at the most, for one image.

    More than what is still to be read: a Python function holds its arguments until it returns. So
    all modules around a layer hold the map that they were given; torchvision's blocks also hold
    what they named on the way. And the image is there as it came and with its channels last.
    """
    one, counted = network(name), _cost(name, side, classes)
    image = BYTES * 3 * side**2
    held = [2 * image + own for own in _held(counted, by_name=not isinstance(one, Design))]
    found = [layer.inference_bytes + own for layer, own in zip(counted.layers, held, strict=True)]
    return max(found) + _mask_bytes(one, side)


def _held(counted: Cost, *, by_name: bool) -> Iterator[int]:
    """Bytes held around each layer: of the maps that each module around it was given; by name, of
    all that was made before it in its own block."""
    entries: dict[str, int] = {}  # which layer's output a module was given
    made = [BYTES * values_of(layer.shape) for layer in counted.layers]
    inside: dict[str, list[int]] = {}
    for at, layer in enumerate(counted.layers):
        parts = layer.name.split(".")
        around = [".".join(parts[:depth]) for depth in range(1, len(parts))]
        held = {entries.setdefault(module, at - 1) for module in around}
        earlier = inside.setdefault(around[-1], [])
        if by_name:
            held.update(earlier)
        yield sum(made[each] for each in held if each >= 0)
        earlier.append(at)


def _mask_bytes(one: AnyDesign, side: int) -> int:
    """Of the mask of shifted windows while it is made, in the stage of the most tokens."""
    if not isinstance(one, Swin):
        return 0
    padded = -(-side // one.patch_size // one.window) * one.window
    return 2 * BYTES * padded**2 * one.window**2


def activation_bytes(name: str, side: int, classes: int = 1000) -> int:
    """Bytes to answer one image at the most, beside the weights: an upper bound. What libraries
    load once, about 20 MB, is left out."""
    weights = [layer.params for layer in _cost(name, side, classes).layers]
    # A convolution orders its weights anew, by way of a copy. Of freed memory the C library keeps
    # half as much again as is alive.
    alive = alive_at_most(name, side, classes)
    return 2 * BYTES * max(weights) + alive + alive // 2 + ONCE


def bytes_needed(names: Sequence[str], side: int, classes: int = 1000) -> int:
    """Bytes to measure networks at an image size, at the most: the weights of all, which take
    turns, and what the dearest needs to answer."""
    weights = sum(_cost(name, side, classes).params for name in names)
    return BYTES * weights + max(activation_bytes(name, side, classes) for name in names)


def require_memory(names: Sequence[str], side: int, limit: int, classes: int = 1000) -> None:
    """Refuse an image size that would not fit, before anything is made.

    Raises:
        InputError: with what it takes, the limit, and what would fit.
    """
    if (needed := bytes_needed(names, side, classes)) <= limit:
        return
    dearest = max(names, key=lambda name: activation_bytes(name, side, classes))
    step = math.lcm(*(_step(network(name)) for name in names))
    fitting = step * largest(
        lambda n: bytes_needed(names, step * n, classes) <= limit, side // step
    )
    fewer = "fewer or smaller networks" if len(names) > 1 else "a smaller network"
    remedy = f"{fitting:,} pixels would fit, or" if fitting else f"choose {fewer}, or give"
    others = f" with the weights of {len(names) - 1} more" if len(names) > 1 else ""
    raise InputError(
        f"{dearest} for images of {side:,} pixels takes up to {bytes_in_words(needed)}{others}, "
        f"and the limit is {bytes_in_words(limit)}; {remedy} more memory with --memory"
    )


def _step(one: AnyDesign) -> int:
    """Image sizes that fit are multiples of this."""
    return one.patch_size if isinstance(one, Vit) else 32


def grid(name: str) -> int:
    """The pixels between two sizes of a network's curve: 32, or the least multiple that it takes.

    >>> grid("vit-b-16"), grid("vit-h-14")
    (32, 224)
    """
    return math.lcm(_GRID, _step(network(name)))


def curve(name: str, sides: Sequence[int], classes: int = 1000) -> list[NetworkPoint]:
    """A network by formula, at sizes and at those of its grid between them."""
    step = grid(name)
    between = {*range(-(-min(sides) // step) * step, max(sides) + 1, step), *sides}
    return [point(name, side, classes) for side in sorted(between)]


@dataclass(frozen=True, slots=True)
class Span:
    """Sizes next to one another at which the same one of two networks costs more.

    Attributes:
        low, high: in pixels; where measured curves cross between two sizes, straight lines in
            log-log coordinates tell where.
        count: of sizes in it. most: by which part the other costs less, at the most.
    """

    low: float
    high: float
    count: int
    most: float


@dataclass(frozen=True, slots=True)
class Crossing:
    """Two networks of which now one and now the other costs more.

    Attributes:
        more, less: names; `more` costs more at the largest size.
        above: where `more` costs more, the last up to the largest size. below: where `less` does.
    """

    quantity: Quantity
    more: str
    less: str
    above: tuple[Span, ...]
    below: tuple[Span, ...]

    @property
    def is_flicker(self) -> bool:
        """Is the order the other one only here and there, at far fewer sizes?"""
        below = [span.count for span in self.below]
        narrow = max(below) == 1 or (max(below) == 2 and len(below) > 2)
        return narrow and 2 * sum(below) <= sum(span.count for span in self.above)


def crossings(curves: Curves, quantity: Quantity) -> Iterator[Crossing]:
    """All pairs of curves that cross, at the sizes that both have.

    By formula it is told size by size, on the grids of both. Measured seconds scatter: sizes
    at which the quartiles overlap are left out, and crossings are interpolated.
    """
    for one, other in combinations(curves, 2):
        known = {found.side: found for found in curves[other]}
        pairs = ((found, known[found.side]) for found in curves[one] if found.side in known)
        gaps = [(pair[0].side, gap) for pair in pairs if (gap := _gap(*pair, quantity))]
        found = _spans(gaps, between=quantity == "seconds")
        if len(found) < 2:
            continue
        above, below = tuple(found[::-1][::2][::-1]), tuple(found[::-1][1::2][::-1])
        more, less = (one, other) if gaps[-1][1] > 0 else (other, one)
        yield Crossing(quantity, more, less, above, below)


def _spans(gaps: Sequence[tuple[int, float]], *, between: bool) -> list[Span]:
    """Sizes in which the sign of the gap is the same; `between` puts their ends where they meet."""
    runs = [list(run) for _, run in groupby(gaps, key=lambda at: at[1] > 0)]
    lows: list[float] = [run[0][0] for run in runs]
    highs: list[float] = [run[-1][0] for run in runs]
    if between:
        lows[1:] = highs[:-1] = [_meeting(one[-1], other[0]) for one, other in pairwise(runs)]
    return [
        Span(low, high, len(run), max(1 - math.exp(-abs(gap)) for _, gap in run))
        for low, high, run in zip(lows, highs, runs, strict=True)
    ]


def _meeting(one: tuple[int, float], other: tuple[int, float]) -> float:
    """Where a line through two gaps over the logarithm of the size is zero."""
    part = one[1] / (one[1] - other[1])
    return float(one[0] * (other[0] / one[0]) ** part)


def _gap(one: NetworkPoint, other: NetworkPoint, quantity: Quantity) -> float:
    """The logarithm of the first's over the second's; 0 where one is not known, or the quartiles of
    seconds overlap."""
    a, b = one.seconds, other.seconds
    if quantity == "seconds" and a and b and max(a.low, b.low) <= min(a.high, b.high):
        return 0.0
    first, second = one.value(quantity), other.value(quantity)
    return math.log(first / second) if first and second else 0.0


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Networks over image sizes, for one image: by formula, and as measured.

    Attributes:
        sides: of square images, in pixels.
        shares_of: networks of which those that are ViTs tell attention's share.
        measured: at each size each network, or none. threads: of torch, then.
    """

    names: tuple[str, ...] = DEFAULT
    sides: tuple[int, ...] = SIDES
    classes: int = 1000
    shares_of: tuple[str, ...] = (*DEFAULT, "vit-b-16")
    measured: tuple[NetworkPoint, ...] = ()
    threads: int | None = None

    @cached_property
    def curves(self) -> dict[str, list[NetworkPoint]]:
        """By formula, see `curve`."""
        return {name: curve(name, self.sides, self.classes) for name in self.names}

    @cached_property
    def points(self) -> tuple[NetworkPoint, ...]:
        """What was measured; where nothing was, the same by formula."""
        pairs = ((name, side) for side in self.sides for name in self.names)
        return self.measured or tuple(point(name, side, self.classes) for name, side in pairs)

    @property
    def vits(self) -> dict[str, Vit]:
        """The ViTs whose share of attention is told."""
        return {name: one for name in self.shares_of if isinstance(one := network(name), Vit)}

    @cached_property
    def crossings(self) -> list[Crossing]:
        """Of all quantities, that of seconds where they were measured."""
        quantities: tuple[Quantity, ...] = ("macs", "kept", "alive")
        found = [one for quantity in quantities for one in crossings(self.curves, quantity)]
        if self.measured:
            seen = {name: [p for p in self.measured if p.name == name] for name in self.names}
            found += crossings(seen, "seconds")
        return found
