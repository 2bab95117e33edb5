"""`load_weights`: published weights into a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from nextify.errors import InputError
from nextify.network.initialise import initialise
from nextify.network.modules import Network
from nextify.network.weights.namings import NamingName, Table
from nextify.network.weights.pairing import CLASSIFIER, listed, match_entries
from nextify.network.weights.preprocessing import Preprocessing, usual
from nextify.network.weights.recognise import recognise
from nextify.network.weights.source import COUNTER, Weights, open_weights


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
        head = "; the head is new (other classes): train it" if self.head_is_new else ""
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
        network: of the design that the weights were made for; one on the meta device gets memory
            on the CPU.
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
    weights = open_weights(source, wrapper)
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
    names = match_entries(network, weights, table)
    head_is_new = f"{CLASSIFIER}.weight" not in names
    if head_is_new and classes_differ == "refuse":
        raise InputError(
            f"weights {weights.source} have no classifier for the network's classes; give the "
            "network as many classes, or accept a new head with classes_differ='keep_body'"
        )
    own = network.state_dict()
    given = {ours: weights.entries[theirs].detach() for ours, theirs in names.items()}
    entries = {ours: e.reshape(own[ours].shape).to(own[ours].dtype) for ours, e in given.items()}
    broken = [names[ours] for ours, entry in entries.items() if not entry.isfinite().all()]
    if broken and not allow_nonfinite:
        raise InputError(
            f"weights {weights.source} hold NaN or infinite numbers in {listed(broken)}; use a "
            "checkpoint from before they arose, or allow them (allow_nonfinite)"
        )
    _fill(network, entries, head_is_new, seed)
    return Loaded(
        source=weights.source,
        naming=table.naming,
        architecture=table.architecture,
        entries=len(entries),
        head_is_new=head_is_new,
        preprocessing=weights.preprocessing or usual(table.naming, table.architecture),
        notes=(*weights.notes, *_conversions(given, entries)),
    )


def _conversions(given: Mapping[str, Tensor], entries: Mapping[str, Tensor]) -> list[str]:
    kinds = {(given[o].dtype, e.dtype) for o, e in entries.items() if not o.endswith(COUNTER)}
    return sorted(f"{str(a)[6:]} converted to {str(b)[6:]}" for a, b in kinds if a != b)


def _fill(network: Network, entries: dict[str, Tensor], head_is_new: bool, seed: int) -> None:
    if any(entry.is_meta for entry in network.state_dict().values()):
        network.to_empty(device="cpu").to(memory_format=torch.channels_last)
    for name, entry in network.state_dict().items():
        if name.endswith(COUNTER) and name not in entries:
            entry.zero_()
    network.load_state_dict(entries, strict=False)
    if head_is_new:
        classifier = network.get_submodule(CLASSIFIER)
        where = next(classifier.parameters()).device
        initialise(classifier.cpu(), "trunc_normal", torch.Generator().manual_seed(seed))
        classifier.to(where)
