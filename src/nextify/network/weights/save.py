"""`save_weights`: a network's weights under the names that others load."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import get_args

import torch
from safetensors.torch import save
from torch import Tensor, nn

from nextify.designs import FAMILIES
from nextify.errors import InputError, unknown
from nextify.files import write_whole
from nextify.network.modules import Network, ResidualBlock, StageModule
from nextify.network.weights.match import foreign_names
from nextify.network.weights.namings import TABLES, Form, NamingName, Outline, Table, shaped
from nextify.network.weights.preprocessing import METADATA_KEY, Preprocessing, as_metadata

# timm computes the pointwise convolutions of these as convolutions, and of all others as matrices.
_TIMM_CONVOLUTIONS = tuple(
    (FAMILIES[f"{kind}-{size}"].depths, FAMILIES[f"{kind}-{size}"].widths)
    for kind in ("convnext", "convnextv2")
    for size in ("atto", "femto", "pico", "nano")
)
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def foreign_entries(network: Network, naming: NamingName) -> dict[str, Tensor]:
    """A network's state dictionary in a naming, as that code's `load_state_dict` takes it.

    >>> from nextify import build, design
    >>> network = build(design("convnext-atto"), device="meta")
    >>> list(foreign_entries(network, "official"))[0]
    'downsample_layers.0.0.weight'

    Raises:
        InputError: that code has no such network.
    """
    if naming not in get_args(NamingName):
        raise unknown("naming", naming, get_args(NamingName))
    table = _table(network, naming)
    names = foreign_names(network, table)
    state = network.state_dict()
    whole = table.naming == "timm" and _depths_and_widths(state) in _TIMM_CONVOLUTIONS
    return {
        theirs: _reshaped(state[ours], "same" if whole and form == "matrix" else form)
        for ours, (theirs, form) in names.items()
    }


def save_weights(
    network: Network,
    path: str | Path,
    naming: NamingName = "nextify",
    *,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Write a network's weights under the names of others, whole or not at all.

    A .safetensors file carries the preprocessing in its metadata. A .pth (.pt, .bin) file is what
    `torch.save` makes of the bare state dictionary; in the official naming it is wrapped as
    `{"model": ...}`, as that code expects.

    Raises:
        InputError: the naming has no such network, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"weights file {path} has no known ending; give one of {', '.join(SUFFIXES)}"
        )
    entries = foreign_entries(network, naming)
    tidy = {name: _alone(entry) for name, entry in entries.items()}
    if path.suffix == ".safetensors":
        content = save(tidy, {"format": "pt", **_metadata(preprocessing)})
    else:
        buffer = BytesIO()
        torch.save({"model": tidy} if naming == "official" else tidy, buffer)
        content = buffer.getvalue()
    write_whole(path, content, what="weights", remedy="choose another folder")


def _metadata(preprocessing: Preprocessing | None) -> dict[str, str]:
    return {METADATA_KEY: as_metadata(preprocessing)} if preprocessing else {}


def _alone(entry: Tensor) -> Tensor:
    """An entry by itself on the CPU: a part of a larger storage would be written with all of it."""
    own = entry.detach().cpu().contiguous()
    return own if own.untyped_storage().nbytes() == own.nbytes else own.clone()


def _reshaped(entry: Tensor, form: Form) -> Tensor:
    return entry.reshape(shaped(tuple(entry.shape), form))


def _depths_and_widths(state: Mapping[str, Tensor]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = re.compile(r"stages\.(\d+)\.blocks\.\d+\.branch\.spatial\.weight")
    widths = [(int(name[1]), len(e)) for key, e in state.items() if (name := found.fullmatch(key))]
    depths = Counter(stage for stage, _ in widths)
    return tuple(depths.values()), tuple(dict(widths).values())


def _table(network: Network, naming: NamingName) -> Table:
    """The table of a naming whose outline the network has."""
    reasons: list[str] = []
    for table in TABLES:
        if table.naming == naming:
            reason = None if table.outline is None else _difference(network, table.outline)
            if reason is None:
                return table
            reasons.append(f"{table.architecture}: {reason}")
    raise InputError(
        f"the naming of {naming} stands for other networks than this one ({'; '.join(reasons)}); "
        "write it in the naming of nextify"
    )


def _difference(network: Network, outline: Outline) -> str | None:
    """The first difference between a network and an outline, in words; None: there is none."""
    if outline.stages not in (None, len(network.stages)):
        return f"stages: {outline.stages}, not {len(network.stages)}"
    for what, expected, modules in _parts(network, outline):
        names = " ".join(name for name, _ in modules)
        if not re.fullmatch(expected, names):
            return f"{what}: {expected!r}, not {names!r}"
    stem = network.stem.get_submodule("conv")
    assert isinstance(stem, nn.Conv2d)
    if outline.stem_stride not in (None, stem.stride[0]):
        return f"stride of the stem: {outline.stem_stride}, not {stem.stride[0]}"
    for module in network.modules():
        match module:
            case nn.LayerNorm() | nn.BatchNorm2d():
                kind = outline.norm
            case nn.ReLU() | nn.GELU():
                kind = outline.activation
            case _:
                continue
        if not isinstance(module, kind):
            return f"{kind.__name__}, not {type(module).__name__}"
    return None


def _parts(
    network: Network, outline: Outline
) -> Iterator[tuple[str, str, list[tuple[str, nn.Module]]]]:
    yield "stem", outline.stem, list(network.stem.named_children())
    yield "head", outline.head, list(network.head.named_children())
    for at, stage in enumerate(network.stages.children()):
        assert isinstance(stage, StageModule)
        between = outline.downsample if at else ""
        yield "downsampling", between, list(stage.downsample.named_children())
        for block in stage.blocks.children():
            assert isinstance(block, ResidualBlock)
            yield "branches", outline.branch, list(block.branch.named_children())
            yield "shortcuts", outline.shortcut, list(block.shortcut.named_children())
            yield "after blocks", outline.after, list(block.after.named_children())
