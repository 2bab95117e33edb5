"""Weights as they are found: in a file, in a folder, on the hub; read without running anything."""

import argparse
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

import torch
from safetensors import safe_open
from torch import Tensor

from nextify.errors import InputError
from nextify.files import as_text
from nextify.network.weights import preprocessing
from nextify.network.weights.hub import PREFIX, fetch
from nextify.network.weights.preprocessing import Preprocessing

FILE_NAMES = ("network.safetensors", "model.safetensors", "pytorch_model.bin")
CONFIG_NAME = "config.json"

# Where training programs put the entries within what they save, and before each entry's name.
_WRAPPERS = ("model", "state_dict", "model_ema", "state_dict_ema", "module")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_DEEPEST = 3
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
COUNTER = "num_batches_tracked"  # of batch norms: a whole number, and never needed
_REMEDY = "give a safetensors file, or a .pth file with nothing but tensors in it"


@dataclass(frozen=True, eq=False, slots=True)
class Weights:
    """Entries by the names that their file gives them.

    Attributes:
        source: where they are from, for people. path: their file, if they are from one.
        metadata: what a safetensors file says beside its entries.
        preprocessing: what came with them. notes: what was done to get at them.
    """

    source: str
    entries: Mapping[str, Tensor]
    path: Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    notes: tuple[str, ...] = ()


def open_weights(source: str | Path | Mapping[str, Any], wrapper: str | None = None) -> Weights:
    """Read weights; nothing that a file says is executed.

    Args:
        source: a .safetensors, .pth, .pt or .bin file, a folder that holds one, a repository on
            the Hugging Face hub (`"hf:timm/convnext_tiny.fb_in1k"`), or a state dictionary.
        wrapper: which of several sets of entries (`"model_ema"`); by default the first of model,
            state_dict, model_ema, state_dict_ema and module.

    Raises:
        InputError: nothing there, or nothing that can be used.
    """
    if isinstance(source, Mapping):
        return _unwrapped("the state dictionary", source, wrapper)
    path, config = _located(source)
    name = str(source)
    entries, metadata = _read(path, name)
    stated = _stated(name, metadata, config)
    weights = _unwrapped(name, entries, wrapper)
    _require_held(weights, path)
    return replace(weights, path=path, metadata=metadata, preprocessing=stated)


def _located(source: str | Path) -> tuple[Path, Path | None]:
    """The file of weights, and timm's `config.json` beside it."""
    if isinstance(source, str) and source.startswith(PREFIX):
        return fetch(source, FILE_NAMES[1:], CONFIG_NAME)
    path = Path(source)
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.is_file():
            return path, None
        what = "are no ordinary file" if path.exists() else "do not exist"
    except (OSError, ValueError) as error:
        raise InputError(
            f"weights {str(source)!r} cannot be opened ({error}); give a file"
        ) from None
    raise InputError(
        f"weights {source} {what}; give a file, a folder that holds one, or a repository on the "
        f"hub, as {PREFIX}timm/convnext_tiny.fb_in1k"
    )


def _in_folder(folder: Path) -> tuple[Path, Path | None]:
    for name in FILE_NAMES:
        if (folder / name).is_file():
            config = folder / CONFIG_NAME
            return folder / name, config if config.is_file() else None
    raise InputError(
        f"folder {folder} holds no weights; expected is one of {', '.join(FILE_NAMES)}"
    )


def _read(path: Path, name: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """What a file holds and its metadata, by the format that its first bytes say it is in."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:9] == b"{":
            with as_text(path) as place, safe_open(place, framework="pt") as held:
                entries = {key: held.get_tensor(key) for key in held.keys()}  # noqa: SIM118
                return entries, held.metadata() or {}
        if start.startswith(b"PK\x03\x04"):
            _require_stored(path, name)
        elif not start.startswith(b"\x80"):
            raise InputError(
                f"weights {name} are neither in the safetensors format nor in torch's; {_REMEDY}"
            )
        return _unpickled(path, name), {}
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes the libraries raise
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = reason if len(reason) <= 160 else f"{reason[:160]}..."
        raise InputError(
            f"weights {name} cannot be read ({reason}); the file is damaged, cut short or not to "
            "be read by you: give another"
        ) from error


def _unpickled(path: Path, name: str) -> Mapping[str, Any]:
    """What `torch.save` wrote, by torch's unpickler that knows tensors and plain containers only.

    Training programs add their command line (`argparse.Namespace`), which is as plain.
    """
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise
        raise InputError(
            f"weights {name} are refused: the file wants to call {wanted[1]}, and only tensors are "
            f"read; {_REMEDY}"
        ) from error
    if not isinstance(found, Mapping):
        raise InputError(f"weights {name} hold a {type(found).__name__}, no entries; {_REMEDY}")
    return found


def _require_stored(path: Path, name: str) -> None:
    """torch packs files without compressing them: what unpacks to more than it is, is a bomb."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(
            f"weights {name} are refused: a compressed file, of {size:,} bytes that unpack to "
            f"{unpacked:,}, where torch.save compresses nothing; {_REMEDY}"
        )


def _stated(name: str, metadata: Mapping[str, str], config: Path | None) -> Preprocessing | None:
    try:
        stated = preprocessing.from_metadata(metadata)
        if stated is None and config is not None:
            values = json.loads(config.read_text(encoding="utf-8"))
            stated = preprocessing.from_timm(values if isinstance(values, dict) else {})
    except (OSError, ValueError, RecursionError) as error:  # an InputError is a ValueError
        raise InputError(
            f"weights {name} cannot be used: {error}; mend or remove that part"
        ) from error
    return stated


def _unwrapped(name: str, found: Mapping[str, Any], wrapper: str | None) -> Weights:
    notes: list[str] = []
    for _ in range(_DEEPEST):
        inside = [key for key in _WRAPPERS if _is_full(found.get(key))]
        chosen = wrapper or next(iter(inside), None)
        if chosen is None:
            break
        if not _is_full(found.get(chosen)):
            raise InputError(
                f"weights {name} have no {chosen!r}; leave the wrapper out or choose one of: "
                f"{', '.join(inside) or 'none, the entries are bare'}"
            )
        others = [key for key in inside if key != chosen]
        if others:
            notes.append(f"read from {chosen!r} (not from {', '.join(others)}, also there)")
        found, wrapper = found[chosen], None
    _require_tensors(name, found)
    return Weights(name, _without_prefixes(found), notes=tuple(notes))


def _is_full(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and len(value) > 0


def _without_prefixes(entries: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    while True:
        prefix = next((p for p in _PREFIXES if all(key.startswith(p) for key in entries)), None)
        if prefix is None:
            return entries
        entries = {key.removeprefix(prefix): entry for key, entry in entries.items()}


def _require_tensors(name: str, entries: Mapping[Any, Any]) -> None:
    """Every entry an ordinary tensor of numbers that weights can be."""
    if not entries:
        raise InputError(f"weights {name} hold no entries; {_REMEDY}")
    for key, entry in entries.items():
        fault = _fault(key, entry)
        if fault is not None:
            raise InputError(f"entry {key!r} of weights {name} is {fault}")


def _fault(key: object, entry: object) -> str | None:
    """What an entry is that weights cannot be, and the remedy."""
    if not isinstance(key, str) or not isinstance(entry, Tensor):
        return f"a {type(entry).__name__} and no tensor; {_REMEDY}"
    if entry.layout != torch.strided or entry.is_quantized or entry.is_nested or entry.is_meta:
        return "not stored as plain numbers; save the weights as dense floating-point tensors"
    if entry.numel() == 0:
        return f"empty; {_REMEDY}"
    is_counter = key.endswith(COUNTER) and entry.dtype == torch.int64 and entry.ndim == 0
    if entry.dtype in _DTYPES or is_counter:
        return None
    kinds = "float32, float16, bfloat16 or float64"
    return f"of type {str(entry.dtype)[6:]}; weights are {kinds}: save them as one of these"


def _require_held(weights: Weights, path: Path) -> None:
    """A tensor can claim any size over one stored number; a file holds no more than its size."""
    claimed = sum(entry.numel() * entry.element_size() for entry in weights.entries.values())
    size = path.stat().st_size
    if claimed > size:
        raise InputError(
            f"weights {weights.source} are refused: a file of {size:,} bytes that claims "
            f"{claimed:,} bytes of weights; {_REMEDY}"
        )
