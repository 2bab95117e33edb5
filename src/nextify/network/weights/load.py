"""`load_weights`: published weights into a network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.models.swin_transformer import ShiftedWindowAttention

from nextify.errors import InputError
from nextify.network.initialise import initialise
from nextify.network.modules import Network, network_in
from nextify.network.weights.namings import COUNTER, STEM, NamingName, Table, listed
from nextify.network.weights.pairing import CLASSIFIER, HEAD_NORM, classes_in, match_entries
from nextify.network.weights.preprocessing import Preprocessing, usual
from nextify.network.weights.recognise import recognise
from nextify.network.weights.source import Weights, open_weights

_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What was loaded.

    Attributes:
        source: where from. naming, architecture: what its names were recognised as.
        entries: tensors taken over. head_is_new: whether the classifier was initialised instead.
        preprocessing: what the images were given to these weights as.
        notes: what else a user should know: conversions, which of several sets was read.
    """

    source: str
    naming: NamingName
    architecture: str
    entries: int
    head_is_new: bool
    preprocessing: Preprocessing
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = "; the head is new" if self.head_is_new else ""
        notes = "".join(f"; {note}" for note in self.notes)
        return (
            f"{self.entries} entries in the naming of {self.naming} ({self.architecture}) from "
            f"{self.source}{head}{notes}"
        )


def load_weights(
    network: Network,
    source: str | Path | Mapping[str, Any],
    *,
    naming: Literal["auto"] | NamingName = "auto",
    classes_differ: Literal["keep_body", "refuse"] = "keep_body",
    allow_nonfinite: bool = False,
    wrapper: str | None = None,
    seed: int = 0,
) -> Loaded:
    """Fill a network with weights in anyone's naming; all of them or, on an error, none.

    >>> from nextify import build, design
    >>> network = build(design("convnext-mini"), classes=10)
    >>> loaded = load_weights(build(design("convnext-mini"), classes=3), network.state_dict())
    >>> loaded.naming, loaded.head_is_new
    ('nextify', True)

    Args:
        network: of the design that the weights were made for, or what wraps it; one on the meta
            device gets memory on the CPU.
        source: a .safetensors or .pth file, a folder that holds one, a repository on the hub
            (`"hf:timm/convnext_tiny.fb_in1k"`) or a state dictionary.
        naming: which naming it must be; by default the one that its names are in.
        classes_differ: with another number of classes, keep the body and initialise the
            classifier anew (normal with sd 0.02, truncated; bias 0), or refuse.
        allow_nonfinite: take over NaN and infinite weights too.
        wrapper: which of several sets of entries in a file (`"model_ema"`).
        seed: of a new classifier.

    Raises:
        InputError: the weights cannot be read, are of another design, or are not finite.
    """
    network, weights = network_in(network), open_weights(source, wrapper)
    table = recognise(weights, naming, network.state_dict())
    return fill(network, weights, table, classes_differ, allow_nonfinite, seed)


def fill(
    network: Network,
    weights: Weights,
    table: Table,
    classes_differ: Literal["keep_body", "refuse"] = "keep_body",
    allow_nonfinite: bool = False,
    seed: int = 0,
) -> Loaded:
    """Fill a network with weights that have been read; as `load_weights`."""
    _require_stated(weights, table)
    names = match_entries(network, weights, table)
    own = network.state_dict()
    lacking = own.keys() - names.keys()
    new = [name for name in (CLASSIFIER, HEAD_NORM) if f"{name}.weight" in lacking]
    head_is_new = CLASSIFIER in new
    if head_is_new and classes_differ == "refuse":
        raise InputError(
            f"weights {weights.source} have no classifier for the network's classes; give the "
            "network as many classes, or accept a new head with classes_differ='keep_body'"
        )
    given = {ours: weights.entries[theirs].detach() for ours, theirs in names.items()}
    _require_numbers(weights, names.values())
    entries = {ours: _as_ours(ours, e, own[ours]) for ours, e in given.items()}
    broken = [names[ours] for ours, entry in entries.items() if not entry.isfinite().all()]
    if broken and not allow_nonfinite:
        raise InputError(
            f"weights {weights.source} hold NaN or infinite numbers in {listed(broken)}; use a "
            "checkpoint from before they arose, or allow them (allow_nonfinite)"
        )
    _fill(network, entries, new, seed)
    return Loaded(
        source=weights.source,
        naming=table.naming,
        architecture=table.architecture,
        entries=len(entries),
        head_is_new=head_is_new,
        preprocessing=weights.stated.preprocessing or usual(table.naming, table.architecture),
        notes=(*weights.notes, *_changes(given, entries, new)),
    )


def _require_numbers(weights: Weights, names: Iterable[str]) -> None:
    for name in names:
        if (fault := _fault(name, weights.entries[name])) is not None:
            raise InputError(f"entry {name!r} of weights {weights.source} is {fault}")


def _fault(name: str, entry: Tensor) -> str | None:
    """What an entry is that weights cannot be, and the remedy; None: numbers, as it should be."""
    if entry.layout != torch.strided or entry.is_quantized or entry.is_nested or entry.is_meta:
        return "not stored as plain numbers; save the weights as dense floating-point tensors"
    if entry.dtype in _DTYPES or (name.endswith(COUNTER) and not entry.is_complex()):
        return None
    kinds = "float32, float16, bfloat16 or float64"
    return f"of type {str(entry.dtype)[6:]}; weights are {kinds}: save them as one of these"


def _require_stated(weights: Weights, table: Table) -> None:
    """That the configuration beside weights is theirs: as many classes, in the modules it names."""
    stated, classes = weights.stated, classes_in(weights, table)
    counts = {"classes": stated.classes, "class names": len(stated.class_names) or None}
    for what, count in counts.items():
        if classes is not None and count not in (None, classes):
            raise InputError(
                f"weights {weights.source} have {classes} classes, and the "
                f"configuration beside them states {count} {what}; mend or remove it"
            )
    lacking = [name for name in stated.modules if f"{name}.weight" not in weights.entries]
    if lacking and (classes is not None or lacking != list(stated.modules[-1:])):
        raise InputError(
            f"weights {weights.source} have no {lacking[0]!r}, which the configuration beside them "
            "names; mend or remove it"
        )


def _as_ours(name: str, given: Tensor, own: Tensor) -> Tensor:
    """An entry of theirs in our shape and type. A stem that sees one channel sees the mean of three
    by a third of its weights for each: grey images give the same answers."""
    if name == STEM and given.shape[1] == 1 != own.shape[1]:
        given = given.expand(own.shape) / own.shape[1]
    if name.endswith(COUNTER):  # batches, beyond the largest number of a half if stored as one
        given = given.nan_to_num(0, 0, 0)
    return given.reshape(own.shape).to(own.dtype)


def _changes(
    given: Mapping[str, Tensor], entries: Mapping[str, Tensor], new: Sequence[str]
) -> list[str]:
    kinds = {(given[o].dtype, e.dtype) for o, e in entries.items() if not o.endswith(COUNTER)}
    notes = sorted(f"{str(a)[6:]} converted to {str(b)[6:]}" for a, b in kinds if a != b)
    if STEM in given and given[STEM].shape[1] != entries[STEM].shape[1]:
        notes.append("the stem of one input channel repeated for three, a third of it for each")
    if HEAD_NORM in new:
        notes.append("they have no norm before the head: it is new, too")
    return notes


def _fill(network: Network, entries: dict[str, Tensor], new: Sequence[str], seed: int) -> None:
    if any(entry.is_meta for entry in network.state_dict().values()):
        network.to_empty(device="cpu").to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, ShiftedWindowAttention):
                module.define_relative_position_index()  # which the meta device has not
    for name, entry in network.state_dict().items():
        if name.endswith(COUNTER) and name not in entries:
            entry.zero_()
    network.load_state_dict(entries, strict=False)
    generator = torch.Generator().manual_seed(seed)
    for module in map(network.get_submodule, new):
        where = next(module.parameters()).device
        initialise(module.cpu(), "trunc_normal", generator)
        module.to(where)
