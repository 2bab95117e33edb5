"""Weights as they are found: in a file, in a folder, on the hub; read without running anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from nextify.errors import InputError
from nextify.network.files import entries_in
from nextify.network.weights import likeness
from nextify.network.weights.config import Stated, read_config
from nextify.network.weights.hub import PREFIX, fetch
from nextify.network.weights.pickled import REMEDY, require_stored, unpickled
from nextify.network.weights.preprocessing import from_metadata
from nextify.network.weights.sets import network_entries

FILE_NAMES = ("network.safetensors", "model.safetensors", "pytorch_model.bin")
# timm's, or transformers' with what it does to images.
_CONFIG_NAMES = ("config.json", "preprocessor_config.json")

_BEGINNING = 512  # bytes of a file, by which its format is told
_MOST_SHARED = 16  # a file's entries may be as often its size: several may share their numbers


@dataclass(frozen=True, eq=False, slots=True)
class Weights:
    """Entries by the names that their file gives them.

    Attributes:
        source: where they are from, for people. path: their file, if they are from one.
        metadata: what a safetensors file says beside its entries.
        stated: what came with them. notes: what was done to get at them.
    """

    source: str
    entries: Mapping[str, Tensor]
    path: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    stated: Stated = field(default_factory=Stated)
    notes: tuple[str, ...] = ()


def open_weights(
    source: str | Path | Mapping[str, Any] | Weights, wrapper: str | None = None
) -> Weights:
    """Read weights; nothing that a file says is executed.

    Args:
        source: a .safetensors, .pth, .pt or .bin file, a folder that holds one, a repository on
            the Hugging Face hub (`"hf:timm/convnext_tiny.fb_in1k"`), or a state dictionary; what is
            read already, as it is.
        wrapper: which of several sets of entries (`"model_ema"`, also as a part of their names);
            by default the first of the largest that is no moving average.

    Raises:
        InputError: nothing there, or nothing that can be used.
    """
    if isinstance(source, Weights):
        return source
    if isinstance(source, Mapping):
        return _of_network("the state dictionary", source, wrapper)
    if not isinstance(source, str | PathLike):
        raise InputError(
            f"weights are a {type(source).__name__}; give a file, a folder, a repository on the "
            "hub or a state dictionary (network.state_dict())"
        )
    path, configs = _located(source)
    name = str(source)
    entries, metadata = _read(path, name)
    stated = _stated(name, metadata, configs)
    weights = _of_network(name, entries, wrapper)
    _require_held(weights, path)
    notes = (*weights.notes, *stated.notes)
    return replace(weights, path=path, metadata=metadata, stated=stated, notes=notes)


def _located(source: str | Path) -> tuple[Path, list[Path]]:
    """The file of weights, and the configurations beside it."""
    if isinstance(source, str) and source.startswith(PREFIX):
        return fetch(source, FILE_NAMES[1:], _CONFIG_NAMES)
    path = Path(source)
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.is_file():
            return path, _configs(path.parent) if path.name in FILE_NAMES else []
        what = "are no ordinary file" if path.exists() else "do not exist"
    except (OSError, ValueError) as error:
        raise InputError(
            f"weights {str(source)!r} cannot be opened ({error}); give a file"
        ) from None
    raise InputError(
        f"weights {source} {what}; give a file, a folder that holds one, or a repository on the "
        f"hub, as {PREFIX}timm/convnext_tiny.fb_in1k"
    )


def _in_folder(folder: Path) -> tuple[Path, list[Path]]:
    for name in FILE_NAMES:
        if (folder / name).is_file():
            return folder / name, _configs(folder)
    raise InputError(
        f"folder {folder} holds no weights; expected is one of {', '.join(FILE_NAMES)}"
    )


def _configs(folder: Path) -> list[Path]:
    return [folder / config for config in _CONFIG_NAMES if (folder / config).is_file()]


def _read(path: Path, name: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What a file holds and its metadata, by the format that its first bytes say it is in."""
    try:
        with path.open("rb") as file:
            start = file.read(_BEGINNING)
        if start[8:9] == b"{":
            return entries_in(path)
        if start.startswith(b"PK\x03\x04"):
            require_stored(path, name)
        elif not start.startswith(b"\x80"):
            what = likeness.of_bytes(start)
            raise InputError(f"weights {name} are " + (
                what or f"neither in the safetensors format nor in torch's; {REMEDY}"
            ))  # fmt: skip
        return unpickled(path, name), {}
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes the libraries raise
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason if len(reason) <= 160 else f"{reason[:160]}..."
        raise InputError(
            f"weights {name} cannot be read ({reason}); the file is damaged, cut short or not to "
            "be read by you: give another"
        ) from error


def _stated(name: str, metadata: Mapping[str, str], configs: list[Path]) -> Stated:
    try:
        stated = from_metadata(metadata)
        if stated is not None or not configs:
            return Stated(preprocessing=stated)
        read = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in configs}
        values = [read.get(known, {}) for known in _CONFIG_NAMES]
        return read_config(*(one if isinstance(one, dict) else {} for one in values))
    except (OSError, ValueError, RecursionError) as error:  # an InputError is a ValueError
        raise InputError(
            f"weights {name} cannot be used: {error}; mend or remove that part"
        ) from error


def _of_network(name: str, found: Mapping[Any, Any], wrapper: str | None) -> Weights:
    if {"state", "param_groups"} <= found.keys():
        raise InputError(f"weights {name} are an optimiser's state, without a network; give the "
                         "file that has the network's state_dict()")  # fmt: skip
    entries, notes = network_entries(name, found, wrapper)
    _require_tensors(name, entries)
    return Weights(name, entries, notes=notes)


def _require_tensors(name: str, entries: Mapping[Any, Any]) -> None:
    if not entries:
        raise InputError(f"weights {name} hold no entries; {REMEDY}")
    for key, entry in entries.items():
        if not isinstance(key, str):
            raise InputError(f"weights {name} have {key!r} for the name of an entry; {REMEDY}")
        if not isinstance(entry, Tensor):
            kind = type(entry).__name__
            raise InputError(f"entry {key!r} of weights {name} is a {kind} and no tensor; {REMEDY}")


def _require_held(weights: Weights, path: Path) -> None:
    """A tensor can claim any size over one stored number, and many entries the same numbers."""
    size, claimed = path.stat().st_size, 0
    for entry in weights.entries.values():
        own = entry.numel() * entry.element_size()
        claimed += own
        if own > size or claimed > _MOST_SHARED * size:
            raise InputError(
                f"weights {weights.source} are refused: a file of {size:,} bytes that claims "
                f"{claimed:,} bytes of weights or more; {REMEDY}"
            )
