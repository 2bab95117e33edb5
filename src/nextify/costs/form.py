"""Totals of many designs: parameters, MACs and training bytes without walking through layers.

With everything but depths and widths fixed, a total is a polynomial in the widths: each layer's
cost is a constant, a multiple of a width or a multiple of a product of two. `Form` holds its
coefficients; they are found by drawing and counting *one* design of that form, with 0 and 1 more
block a stage, whose widths are powers of a number so large that every coefficient is a digit of
the total by itself (Kronecker's substitution). `draw` and the walk stay the only places that know
what a layer is and costs, and a form is learned once for all depths and widths.
"""

from functools import lru_cache
from operator import add, attrgetter
from typing import Any, NamedTuple

from nextify.blueprint import draw_sized, require_image_size, sides_of, specs
from nextify.costs.count import cost
from nextify.costs.layer import Shape
from nextify.costs.walk import Map, walk
from nextify.designs import AnyDesign, Design, require_convolutional
from nextify.designs.fields import hints
from nextify.errors import InputError
from nextify.words import whole_number

_NAMES = tuple(name for name in hints(Design) if name not in ("depths", "widths"))
_values = attrgetter(*_NAMES)
_BITS = 320  # of a digit: fields of at most 10^15 and images make coefficients below 2^300
_DIGIT = (1 << _BITS) - 1
_LARGEST_SIDE = 1 << 32


class Totals(NamedTuple):
    """What a network costs for one image, as in `Cost`; the bytes are float32's."""

    params: int
    macs: int
    training_bytes: int


class Coefficients(NamedTuple):
    """Of the width of one stage (w), the one before (v), and the blocks after the first (n):
    `linear w + square w^2 + cross v w + n (more_linear w + more_square w^2)`."""

    linear: int
    square: int
    cross: int
    more_linear: int
    more_square: int


class Polynomial(NamedTuple):
    """A total, as a polynomial in depths, widths and classes.

    Attributes:
        stages: for each stage.
        constant: what costs the same at all widths.
        more_constant: and what each further block of a stage adds to that.
        classes: the coefficients of classes, and of classes times the last width.
    """

    stages: tuple[Coefficients, ...]
    constant: int
    more_constant: tuple[int, ...]
    classes: tuple[int, int]

    def at(self, depths: tuple[int, ...], widths: tuple[int, ...], classes: int) -> int:
        """Its value."""
        total, before = self.constant + self.classes[0] * classes, 0
        for (linear, square, cross, more, more_square), depth, width, constant in zip(
            self.stages, depths, widths, self.more_constant, strict=True
        ):
            n = depth - 1
            total += n * constant + width * (
                linear + n * more + width * (square + n * more_square) + cross * before
            )
            before = width
        return total + self.classes[1] * classes * before


class Form(NamedTuple):
    """The totals of all designs that differ in depths and widths alone, at one image size."""

    params: Polynomial
    macs: Polynomial
    training_bytes: Polynomial


def totals(
    design: AnyDesign, image_size: int | tuple[int, int] = 224, classes: int = 1000
) -> Totals:
    """What a design costs for one image: the totals of `cost`, for tens of thousands a second
    (of transformers, a few hundred).

    >>> from nextify.designs import design
    >>> totals(design("resnet50")).params
    25557032

    Raises:
        InputError: as `cost` does.
    """
    classes = whole_number("classes", classes)
    if not isinstance(design, Design):
        counted = cost(design, image_size, classes)
        return Totals(counted.params, counted.macs, counted.training_bytes)
    depths, widths = design.depths, design.widths
    form = form_of(design, image_size)
    return Totals(*(one.at(depths, widths, classes) for one in form))


def form_of(design: AnyDesign, image_size: int | tuple[int, int]) -> Form:
    """The form of a convolutional design: its totals as polynomials. Raises as `cost` does."""
    design = require_convolutional(design, "rescaling widths one by one")
    return _form(_values(design), len(design.depths), sides_of(image_size))


@lru_cache(maxsize=65536)
def _form(values: tuple[object, ...], stages: int, sides: tuple[int, int]) -> Form:
    fields: dict[str, Any] = dict(zip(_NAMES, values, strict=True))
    design = Design(depths=(1,) * stages, widths=(1,) * stages, **fields)
    if max(sides) > _LARGEST_SIDE:
        raise InputError(f"image size is {max(sides)}; it must be at most {_LARGEST_SIDE} pixels")
    powers = tuple(3 if at % 2 else 1 for at in range(stages + 1))  # the last: of classes
    sizes = tuple(1 << _BITS * power for power in powers)
    blueprint = draw_sized(design, (2,) * stages, sizes[:-1], sizes[-1])
    parts, (_, *last) = _sums(blueprint, Map((3, *sides)))
    if min(last) < 2:  # where the last map has more than a pixel, every layer had enough of them
        require_image_size(design, sides)
    return Form(*(_polynomial([part[at] for part in parts], powers) for at in range(3)))


def _sums(blueprint: specs.Blueprint, entry: Map) -> tuple[list[Totals], Shape]:
    """Of what a stage begins with (the first: with the stem), and of one more block, for each; of
    the head. And the shape of the map that the head finds."""
    found = []
    parts: list[specs.Layers] = []
    begin = blueprint.stem
    for stage in blueprint.stages:
        first, second = stage.blocks
        parts += [(*begin, *stage.downsample, ("first", first)), (("second", second),)]
        begin = ()
    for part in [*parts, blueprint.head]:
        last = entry.shape
        total = Totals(0, 0, 0)
        for _, layer in part:
            more, entry = _sum(layer, entry)
            total = Totals(*map(add, total, more))
        found.append(total)
    return found, last


@lru_cache(maxsize=16384)
def _sum(layer: specs.Layer, entry: Map) -> tuple[Totals, Map]:
    """The totals of one layer or block, and the map after it."""
    found, after = walk((("", layer),), entry, 4)
    rows = [(part.params, part.macs, part.training_bytes) for _, part in found]
    return Totals(*map(sum, zip(*rows, strict=True))), after


def _polynomial(parts: list[int], powers: tuple[int, ...]) -> Polynomial:
    """From the totals of `_sums`, whose widths are these powers of the base."""
    (*within, head), (*widths, classes) = parts, powers
    firsts, seconds = within[::2], within[1::2]
    stages = []
    for power, first, after, second in zip(
        widths, firsts, [*firsts[1:], head], seconds, strict=True
    ):
        both = first + after  # a width is that of a stage and of what the next part begins with
        own, more = ((_digit(each, power), _digit(each, 2 * power)) for each in (both, second))
        stages.append(Coefficients(*own, _digit(first, 4), *more))
    constant, *more_constant = (_digit(each, 0) for each in (sum(firsts) + head, *seconds))
    of_classes = _digit(head, classes), _digit(head, 4)
    return Polynomial(tuple(stages), constant, tuple(more_constant), of_classes)


def _digit(number: int, power: int) -> int:
    """The coefficient of that power of the base."""
    return number >> _BITS * power & _DIGIT
