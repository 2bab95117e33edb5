"""Designs by name."""

from typing import Any

from nextify.designs.design import Design
from nextify.designs.fields import with_fields
from nextify.designs.paths import RESNET50, RESNET200, SMALL
from nextify.errors import unknown


def _convnext(depths: tuple[int, ...], width: int) -> Design:
    widths = tuple(width * 2**stage for stage in range(len(depths)))
    return with_fields(RESNET50.end, {"depths": depths, "widths": widths})


def _resnet(*depths: int) -> Design:
    return Design(depths=depths)


FAMILIES: dict[str, Design] = {
    "resnet-50": _resnet(3, 4, 6, 3),
    "resnet-101": _resnet(3, 4, 23, 3),
    "resnet-152": _resnet(3, 8, 36, 3),
    "resnet-200": RESNET200.start,
    "resnet-small": SMALL.start,
    "convnext-atto": _convnext((2, 2, 6, 2), 40),
    "convnext-femto": _convnext((2, 2, 6, 2), 48),
    "convnext-pico": _convnext((2, 2, 6, 2), 64),
    "convnext-nano": _convnext((2, 2, 8, 2), 80),
    "convnext-tiny": RESNET50.end,
    "convnext-small": _convnext((3, 3, 27, 3), 96),
    "convnext-base": RESNET200.end,
    "convnext-large": _convnext((3, 3, 27, 3), 192),
    "convnext-xlarge": _convnext((3, 3, 27, 3), 256),
    "convnext-mini": SMALL.end,
}

_KEYS = {name.replace("-", ""): name for name in FAMILIES}


def design(name: str, **fields: Any) -> Design:
    """A design by name, with any of its fields overridden.

    >>> design("convnext-tiny", stem_stride=2).widths
    (96, 192, 384, 768)

    Args:
        name: as in `FAMILIES`; hyphens and underscores may be left out (`"resnet50"`).
        fields: values for fields of `Design`.

    Raises:
        InputError: unknown name or field, or a value that a field cannot take.
    """
    key = name.lower().replace("-", "").replace("_", "")
    if key not in _KEYS:
        raise unknown("design", name, FAMILIES)
    return with_fields(FAMILIES[_KEYS[key]], fields)
