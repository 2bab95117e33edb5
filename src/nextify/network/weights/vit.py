"""ViTs in the namings of timm and torchvision: their tables, and the design that entries tell."""

import math
from collections.abc import Mapping

from nextify.designs import Vit
from nextify.errors import InputError
from nextify.network.weights.namings import Rule, Table
from nextify.network.weights.source import Weights

HEAD_SIZE = 64  # channels of a head in all published ViTs up to L; no entry tells it
_LARGEST = 1_024  # channels of L
_BLOCK = "stages.0.blocks.{block}"


def _rules(names: Mapping[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(ours, theirs) for ours, theirs in names.items())


VITS = (
    Table("timm", "ViT", _rules({
        "stem.embedding.class_token": "cls_token",
        "stem.embedding.positions": "pos_embed",
        "stem.conv.{part}": "patch_embed.proj.{part}",
        f"{_BLOCK}.ln_1.{{part}}": "blocks.{block}.norm1.{part}",
        f"{_BLOCK}.self_attention.in_proj_weight": "blocks.{block}.attn.qkv.weight",
        f"{_BLOCK}.self_attention.in_proj_bias": "blocks.{block}.attn.qkv.bias",
        f"{_BLOCK}.self_attention.out_proj.{{part}}": "blocks.{block}.attn.proj.{part}",
        f"{_BLOCK}.ln_2.{{part}}": "blocks.{block}.norm2.{part}",
        f"{_BLOCK}.mlp.0.{{part}}": "blocks.{block}.mlp.fc1.{part}",
        f"{_BLOCK}.mlp.3.{{part}}": "blocks.{block}.mlp.fc2.{part}",
        "head.norm.{part}": "norm.{part}",
        "head.classifier.{part}": "head.{part}",
    }), None),
    Table("torchvision", "ViT", _rules({
        "stem.embedding.class_token": "class_token",
        "stem.embedding.positions": "encoder.pos_embedding",
        "stem.conv.{part}": "conv_proj.{part}",
        f"{_BLOCK}.ln_1.{{part}}": "encoder.layers.encoder_layer_{block}.ln_1.{part}",
        f"{_BLOCK}.self_attention.{{part}}":
            "encoder.layers.encoder_layer_{block}.self_attention.{part}",
        f"{_BLOCK}.self_attention.out_proj.{{part}}":
            "encoder.layers.encoder_layer_{block}.self_attention.out_proj.{part}",
        f"{_BLOCK}.ln_2.{{part}}": "encoder.layers.encoder_layer_{block}.ln_2.{part}",
        f"{_BLOCK}.mlp.0.{{part}}": "encoder.layers.encoder_layer_{block}.mlp.0.{part}",
        f"{_BLOCK}.mlp.3.{{part}}": "encoder.layers.encoder_layer_{block}.mlp.3.{part}",
        "head.norm.{part}": "encoder.ln.{part}",
        "head.classifier.{part}": "heads.head.{part}",
    }), None),
)  # fmt: skip


def vit_table(weights: Weights) -> Table | None:
    """The naming in which weights are those of a ViT; None: they are not."""
    needed = ("stem.embedding.class_token", "stem.embedding.positions", "stem.conv.weight")
    for table in VITS:
        theirs = [name[0] for ours in needed if (name := table.name(ours))]
        if all(name in weights.entries for name in theirs):
            return table
    return None


def read_vit(weights: Weights, table: Table) -> Vit:
    """The design of a ViT's weights.

    Heads of 64 channels are assumed, as published ViTs up to L have; H and beyond have others.

    Raises:
        InputError: the shapes are none of a ViT.
    """
    shapes = _shapes(weights, table)
    depth = sum(name.endswith("ln_1.weight") for name in shapes)
    try:
        width, _, patch, _ = shapes["stem.conv.weight"]
        inner = shapes["stages.0.blocks.0.mlp.0.weight"][0]
        if width % HEAD_SIZE:
            raise InputError(f"its width is {width}, of which heads have {HEAD_SIZE} by default")
        if width > _LARGEST:
            raise InputError(f"its width is {width}, and ViTs beyond L have heads of other sizes")
        heads, ratio = width // HEAD_SIZE, inner / width
        return Vit(patch_size=patch, depth=depth, width=width, heads=heads, mlp_ratio=ratio)
    except (KeyError, ValueError) as error:
        told = error if isinstance(error, InputError) else "their shapes are none of a ViT"
        raise InputError(
            f"the design of weights {weights.source}, in the naming of {table.naming}, cannot be "
            f"told from their shapes ({told}); give it with --design"
        ) from error


def side_of(weights: Weights, table: Table, design: Vit) -> int:
    """The side in pixels of the images that a ViT sees, by the number of its positions.

    Raises:
        InputError: they are no square.
    """
    *_, count, _ = (0, 0, *_shapes(weights, table)["stem.embedding.positions"])
    tokens = max(count - 1, 0)
    side = math.isqrt(tokens)
    if side * side != tokens or not side:
        raise InputError(
            f"weights {weights.source} are of a ViT with positions for {tokens} patches, which "
            "make no square; give weights of square images"
        )
    return side * design.patch_size


def _shapes(weights: Weights, table: Table) -> dict[str, tuple[int, ...]]:
    """By our names."""
    known = table.known(weights.entries)
    return {ours: tuple(weights.entries[theirs].shape) for theirs, ours in known.items()}
