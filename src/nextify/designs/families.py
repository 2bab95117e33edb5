"""Designs by name."""

from typing import Any

from nextify.designs.design import Design
from nextify.designs.fields import with_fields
from nextify.designs.paths import RESNET50, RESNET200, SMALL
from nextify.designs.transformers import AnyDesign, Swin, Transformer, Vit
from nextify.errors import InputError, unknown
from nextify.words import in_short


def _convnext(depths: tuple[int, ...], width: int) -> Design:
    widths = tuple(width * 2**stage for stage in range(len(depths)))
    return with_fields(RESNET50.end, {"depths": depths, "widths": widths})


def _isotropic(depth: int, width: int) -> Design:
    """A stem of 16 x 16 patches and one stage (arXiv 2201.03545, section 3.2); no layer scale."""
    changes = {"depths": (depth,), "widths": (width,), "stem_stride": 16, "layer_scale": None}
    return with_fields(RESNET50.end, changes)


def _convnext_v2(depths: tuple[int, ...], width: int) -> Design:
    """arXiv 2301.00808: global response norm in place of layer scale."""
    return with_fields(_convnext(depths, width), {"layer_scale": None, "response_norm": "global"})


FAMILIES: dict[str, Design] = {
    "resnet-18": Design(depths=(2, 2, 2, 2), block="basic"),
    "resnet-34": Design(depths=(3, 4, 6, 3), block="basic"),
    "resnet-50": Design(),
    "resnet-101": Design(depths=(3, 4, 23, 3)),
    "resnet-152": Design(depths=(3, 8, 36, 3)),
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
    "convnext-iso-small": _isotropic(18, 384),
    "convnext-iso-base": _isotropic(18, 768),
    "convnext-iso-large": _isotropic(36, 1024),
    "convnextv2-atto": _convnext_v2((2, 2, 6, 2), 40),
    "convnextv2-femto": _convnext_v2((2, 2, 6, 2), 48),
    "convnextv2-pico": _convnext_v2((2, 2, 6, 2), 64),
    "convnextv2-nano": _convnext_v2((2, 2, 8, 2), 80),
    "convnextv2-tiny": _convnext_v2((3, 3, 9, 3), 96),
    "convnextv2-base": _convnext_v2((3, 3, 27, 3), 128),
    "convnextv2-large": _convnext_v2((3, 3, 27, 3), 192),
    "convnextv2-huge": _convnext_v2((3, 3, 27, 3), 352),
    # Cut by hand for a parameter budget: a worked example of widths that do not double.
    "convnext-slim": with_fields(
        RESNET50.end, {"depths": (6, 5, 4, 4), "widths": (50, 175, 250, 400)}
    ),
    "convnext-mini": SMALL.end,
}


# torchvision's configurations; vit-s-16 is that of arXiv 2012.12877 (DeiT-S); mini ones are for
# images of 32 pixels and cost about as much as convnext-mini.
TRANSFORMERS: dict[str, Transformer] = {
    "vit-s-16": Vit(width=384, heads=6),
    "vit-b-16": Vit(),
    "vit-b-32": Vit(patch_size=32),
    "vit-l-16": Vit(depth=24, width=1024, heads=16),
    "vit-l-32": Vit(patch_size=32, depth=24, width=1024, heads=16),
    "vit-h-14": Vit(patch_size=14, depth=32, width=1280, heads=16),
    "vit-mini": Vit(patch_size=4, depth=4, width=24, heads=3, mlp_ratio=2.0),
    "swin-t": Swin(),
    "swin-s": Swin(depths=(2, 2, 18, 2)),
    "swin-b": Swin(width=128, depths=(2, 2, 18, 2), heads=(4, 8, 16, 32)),
    "swin-mini": Swin(width=24, depths=(2, 2), heads=(3, 6), window=4),
}
NAMED: dict[str, AnyDesign] = {**FAMILIES, **TRANSFORMERS}

_KEYS = {name.replace("-", ""): name for name in NAMED}


def design(name: str, **fields: Any) -> AnyDesign:
    """A design by name, with any of its fields overridden.

    >>> design("convnext-tiny", stem_stride=2).widths
    (96, 192, 384, 768)
    >>> design("swin-t", window=8).window
    8

    Args:
        name: as in `FAMILIES` or `TRANSFORMERS`; hyphens and underscores may be left out
            (`"resnet50"`).
        fields: values for fields of `Design`, `Vit` or `Swin`.

    Raises:
        InputError: unknown name or field, or a value that a field cannot take.
    """
    return with_fields(NAMED[canonical(name)], fields)


def known_design(of: AnyDesign | str) -> AnyDesign:
    """A design, or the one of a name.

    >>> known_design("resnet50") == known_design(Design())
    True

    Raises:
        InputError: it is neither.
    """
    if isinstance(of, str):
        return design(of)
    if isinstance(of, AnyDesign):
        return of
    raise InputError(f"design is {in_short(of)}; give a name, or what nextify.design(name) makes")


def canonical(name: str) -> str:
    """The name of a design, of the spellings that `design` takes.

    >>> canonical("ViT_Mini")
    'vit-mini'

    Raises:
        InputError: an unknown name.
    """
    key = name.lower().replace("-", "").replace("_", "")
    if key not in _KEYS:
        raise unknown("design", name, NAMED)
    return _KEYS[key]
