"""`save_weights`: a network's weights under the names that others load."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import chain, repeat
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from nextify.designs import FAMILIES
from nextify.errors import InputError, unknown
from nextify.files import Content, write_whole
from nextify.network.files import storable
from nextify.network.modules import Network, ResidualBlock, network_in
from nextify.network.weights.namings import NAMINGS, TABLES, NamingName, Outline, Table, shaped
from nextify.network.weights.pairing import foreign_names
from nextify.network.weights.preprocessing import METADATA_KEY, Preprocessing

# timm computes the pointwise convolutions of these as convolutions, and of all others as matrices;
# V2's have the same depths and widths.
_TIMM_CONVOLUTIONS = [FAMILIES[f"convnext-{size}"] for size in ("atto", "femto", "pico", "nano")]
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
    if naming not in NAMINGS:
        raise unknown("naming", naming, NAMINGS)
    table = _table(network, naming)
    names = foreign_names(network, table)
    state = network.state_dict()
    blocks = [len(one) for name, one in state.items() if name.endswith("branch.spatial.weight")]
    known = [list(chain.from_iterable(map(repeat, d.widths, d.depths))) for d in _TIMM_CONVOLUTIONS]
    whole = table.naming == "timm" and blocks in known
    found = {}
    for ours, (theirs, form) in names.items():
        entry, own = state[ours], "same" if whole and form == "matrix" else form
        found[theirs] = entry.reshape(shaped(tuple(entry.shape), own))
    return found


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
    tidy = storable(foreign_entries(network_in(network), naming))
    if path.suffix == ".safetensors":
        stated = {METADATA_KEY: json.dumps(asdict(preprocessing))} if preprocessing else {}
        content: Content = save(tidy, {"format": "pt", **stated})
    else:
        content = partial(torch.save, {"model": tidy} if naming == "official" else tidy)
    write_whole(path, content, what="weights", remedy="choose another folder")


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
    for what, module in _parts(network):
        expected = outline.parts.get(what, "")
        names = " ".join(name for name, _ in module.named_children())
        if not re.fullmatch(expected, names):
            return f"{what}: {expected!r}, not {names!r}"
    stem = network.stem.get_submodule("conv")
    assert isinstance(stem, nn.Conv2d)
    if outline.stem_stride not in (None, stem.stride[0]):
        return f"stride of the stem: {outline.stem_stride}, not {stem.stride[0]}"
    norms, activations = (nn.LayerNorm, nn.BatchNorm2d), (nn.ReLU, nn.GELU)
    for module in network.modules():
        for kinds, kind in ((norms, outline.norm), (activations, outline.activation)):
            if isinstance(module, kinds) and not isinstance(module, kind):
                return f"{kind.__name__}, not {type(module).__name__}"
    return None


def _parts(network: Network) -> Iterator[tuple[str, nn.Module]]:
    yield "stem", network.stem
    yield "head", network.head
    for at, stage in enumerate(network.stages.children()):
        downsample, blocks = stage.children()
        yield "downsampling" if at else "downsampling after the stem", downsample
        for block in blocks.children():
            assert isinstance(block, ResidualBlock)
            yield "branches", block.branch
            yield "shortcuts", block.shortcut
            yield "after blocks", block.after
