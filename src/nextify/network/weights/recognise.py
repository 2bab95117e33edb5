"""Which naming a file is in, and of which design, from nothing but names and shapes."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from nextify.blueprint import draw
from nextify.designs import FAMILIES, Design
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.network.build import assemble
from nextify.network.weights.likeness import of_names
from nextify.network.weights.namings import NAMINGS, STEM, TABLES, Shape, Table
from nextify.network.weights.pairing import CLASSIFIER, match_entries
from nextify.network.weights.source import Weights

_STEM_STRIDES = {7: 4, 3: 1}  # of stems that are not patches, by kernel; 4 and 2 have equal shapes


def recognise(weights: Weights, naming: str = "auto", ours: Collection[str] = ()) -> Table:
    """The table that knows most of the names.

    Args:
        naming: `"auto"`, or the naming that it must be.
        ours: the entries of the network that is meant: decides between equals.

    Raises:
        InputError: no table knows any, or another naming's knows more.
    """
    tables = [table for table in TABLES if naming in ("auto", table.naming)]
    if not tables:
        raise InputError(f"unknown naming {naming!r}; give auto or one of {', '.join(NAMINGS)}")
    known = {table: len(table.known(weights.entries)) for table in tables}
    most = max(known.values())
    if 2 * most < len(weights.entries):
        expected = "a known naming" if naming == "auto" else f"the naming of {naming}"
        first = ", ".join(repr(name) for name in list(weights.entries)[:3])
        like = of_names(weights.entries) if naming == "auto" else None
        looks = f"they look like {like}; " if like else ""
        raise InputError(
            f"weights {weights.source} are not in {expected}: {looks}their names begin "
            f"with {first}; nextify loads ResNets, ConvNeXts and ConvNeXts V2, as "
            f"{', '.join(NAMINGS)} name their entries"
        )
    best = [table for table in tables if known[table] == most]
    return next((t for t in best if ours and all(map(t.name, ours))), best[0])


class Recognised(NamedTuple):
    """A file's design and number of classes; None: it has no classifier."""

    design: Design
    classes: int | None


def read_design(weights: Weights, naming: str = "auto") -> Recognised:
    """The design that weights belong to, for the families' architectures at any depths and widths.

    Shapes do not tell everything: layer scale is taken to start at 1e-6, and a 7 x 7 stem to be
    followed by pooling.

    Raises:
        InputError: the design cannot be told; says to give it.
    """
    table = recognise(weights, naming)
    names = table.known(weights.entries)
    shapes = {ours: tuple(weights.entries[theirs].shape) for theirs, ours in names.items()}
    head = shapes.get(f"{CLASSIFIER}.weight")
    classes = head[0] if head else None
    try:
        chosen = _design(shapes)
        match_entries(assemble(draw(chosen, classes or 1)), weights, table)
    except (LookupError, ArithmeticError, RuntimeError, InputError) as error:
        raise InputError(
            f"the design of weights {weights.source}, in the naming of {table.naming}, cannot be "
            f"told from their shapes ({_reason(error)}); give it with --design"
        ) from error
    return Recognised(chosen, classes)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is nothing for {error.args[0]}"
    return str(error) if isinstance(error, InputError) else "their sizes are none of a network"


def _design(shapes: Mapping[str, Shape]) -> Design:
    depths = depths_in(shapes)
    blocks = [f"stages.{stage}.blocks.0.branch" for stage in range(len(depths))]
    first = blocks[0]
    is_basic = f"{first}.spatial1.weight" in shapes
    is_resnet = is_basic or f"{first}.pointwise1_norm.weight" in shapes
    spatial = "spatial1" if is_basic else "spatial"
    narrow, wide = ("pointwise1", "pointwise2") if is_resnet else ("spatial", "pointwise1")
    narrow = spatial if is_basic else narrow
    widths = tuple(shapes[f"{block}.{narrow}.weight"][0] for block in blocks)
    fields: dict[str, object] = {"depths": depths, "widths": widths}
    fields["kernel_size"] = shapes[f"{first}.{spatial}.weight"][-1]
    stem = shapes[STEM][-1]
    fields["stem_stride"] = _STEM_STRIDES.get(stem, stem) if is_resnet else stem
    if not is_basic:
        fields["ratio"] = shapes[f"{first}.{wide}.weight"][0] // widths[0]
    if not is_resnet:
        fields["layer_scale"] = 1e-6 if f"{first}.scale.weight" in shapes else None
        is_v2 = f"{first}.response_norm.weight" in shapes
        fields["response_norm"] = "global" if is_v2 else "none"
    resnet = "resnet-18" if is_basic else "resnet-50"
    return with_fields(FAMILIES[resnet if is_resnet else "convnext-tiny"], fields)


def depths_in(shapes: Mapping[str, Shape]) -> tuple[int, ...]:
    """How many blocks each stage has; a gap in their numbers shows when names are compared."""
    words = [name.split(".") for name in shapes if name.startswith("stages.")]
    blocks = {(int(stage), block) for _, stage, kind, block, *_ in words if kind == "blocks"}
    depths = Counter(stage for stage, _ in blocks)
    return tuple(depths[stage] for stage in sorted(depths))
