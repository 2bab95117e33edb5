"""Swins in the namings of timm and torchvision: their tables, and the design that entries tell."""

import math

from nextify.designs import Swin
from nextify.errors import InputError
from nextify.network.weights.namings import STEM, Rule, Table
from nextify.network.weights.recognise import depths_in
from nextify.network.weights.source import Weights

_BLOCK, _MERGING = "stages.{stage}.blocks.{block}", "stages.{stage}.downsample.merging"
_POSITIONS = "attn.relative_position_bias_table"
_SAME = (_POSITIONS, "norm1.{part}", "attn.qkv.{part}", "attn.proj.{part}", "norm2.{part}")


def _rules(
    stem: tuple[str, str], block: str, mlp: tuple[str, str], merging: str, classifier: str
) -> tuple[Rule, ...]:
    names = {
        "stem.conv.{part}": f"{stem[0]}.{{part}}",
        "stem.norm.{part}": f"{stem[1]}.{{part}}",
        **{f"{_BLOCK}.{name}": f"{block}.{name}" for name in _SAME},
        f"{_BLOCK}.mlp.0.{{part}}": f"{block}.mlp.{mlp[0]}.{{part}}",
        f"{_BLOCK}.mlp.3.{{part}}": f"{block}.mlp.{mlp[1]}.{{part}}",
        f"{_MERGING}.norm.{{part}}": f"{merging}.norm.{{part}}",
        f"{_MERGING}.reduction.{{part}}": f"{merging}.reduction.{{part}}",
        "head.norm.{part}": "norm.{part}",
        "head.classifier.{part}": f"{classifier}.{{part}}",
    }
    return tuple(Rule(ours, theirs) for ours, theirs in names.items())


SWINS = (
    Table("timm", "Swin", _rules(
        ("patch_embed.proj", "patch_embed.norm"), "layers.{stage}.blocks.{block}", ("fc1", "fc2"),
        "layers.{stage}.downsample", "head.fc",
    ), None),
    Table("torchvision", "Swin", _rules(
        ("features.0.0", "features.0.2"), "features.{feature}.{block}", ("0", "3"),
        "features.{between}", "head",
    ), None),
)  # fmt: skip


def swin_table(weights: Weights) -> Table | None:
    """The naming in which weights are those of a Swin; None: they are not."""
    needed = (STEM, f"{_BLOCK.format(stage=0, block=0)}.{_POSITIONS}")
    for table in SWINS:
        theirs = [name[0] for ours in needed if (name := table.name(ours))]
        if all(name in weights.entries for name in theirs):
            return table
    return None


def read_swin(weights: Weights, table: Table) -> Swin:
    """The design of a Swin's weights.

    Raises:
        InputError: the shapes are none of a Swin whose windows are all of one size.
    """
    known = table.known(weights.entries)
    shapes = {ours: tuple(weights.entries[theirs].shape) for theirs, ours in known.items()}
    try:
        (width, _, patch, _), depths = shapes[STEM], depths_in(shapes)
        blocks = [_BLOCK.format(stage=at, block=0) for at in range(len(depths))]
        places, heads = zip(*(shapes[f"{block}.{_POSITIONS}"] for block in blocks), strict=True)
        if len(set(places)) > 1:
            raise InputError("its windows are not of one size in all stages")
        ratio = shapes[f"{blocks[0]}.mlp.0.weight"][0] / width
        window = (math.isqrt(places[0]) + 1) // 2  # a table has a place for each of 2 w - 1 squared
        return Swin(patch_size=patch, width=width, depths=depths, heads=heads, window=window,
                    mlp_ratio=ratio)  # fmt: skip
    except (LookupError, ValueError) as error:
        told = error if isinstance(error, InputError) else "their shapes are none of a Swin"
        raise InputError(
            f"the design of weights {weights.source}, in the naming of {table.naming}, cannot be "
            f"told from their shapes ({told}); give it with --design"
        ) from error
