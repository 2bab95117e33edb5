"""A trained network as one file: weights, and all that is needed to use them.

The file is in the safetensors format, which holds no code. Its metadata carries the design, the
names of the classes and the preprocessing, so that images can be classified with nothing else.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nextify.blueprint import draw
from nextify.costs import cost
from nextify.designs import AnyDesign
from nextify.designs.values import from_values
from nextify.errors import InputError
from nextify.files import as_text, is_there, parse_json, require_ordinary, write_whole
from nextify.machine import memory
from nextify.network.build import assemble
from nextify.network.modules import Network, network_in
from nextify.network.weights.preprocessing import Preprocessing
from nextify.words import gibibytes, in_short

FORMAT = "nextify-network-1"


@dataclass(frozen=True, slots=True)
class Card:
    """What belongs to a network's weights.

    Attributes:
        classes: names, in the order of the outputs.
        image_size: side in pixels. mean, std: per channel in [0, 1].
        about: how it was trained (run, accuracy), for people.
        temperature: what logits are divided by, so that probabilities are what they say
            (`nextify evaluate --calibrate`); 1: as the network is. It changes no answer.
    """

    design: AnyDesign
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    about: dict[str, Any]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not self.classes:
            raise InputError("field 'classes' is empty")
        if len(set(self.classes)) < len(self.classes):
            twice = next(name for at, name in enumerate(self.classes) if name in self.classes[:at])
            raise InputError(f"field 'classes' has {in_short(twice)} twice")
        if not 0 < self.temperature < math.inf:
            raise InputError(f"field 'temperature' is {self.temperature}; it must be above 0")
        # Which refuses what cannot be meant.
        Preprocessing(mean=self.mean, std=self.std, image_size=self.image_size)
        self._require_tables()
        self._require_as_trained()

    def _require_tables(self) -> None:
        """Check the form of what is told of the images that it was trained on."""
        told = {name: [self.about.get(name, {})] for name in ("data", "whole", "images")}
        told["weights_saw"] = self.about.get("weights_saw", [])
        for name, tables in told.items():
            if not isinstance(tables, list) or not all(isinstance(e, Mapping) for e in tables):
                raise InputError(f"field 'about.{name}' is no table of fields")
        seed = self.about.get("permuted_pixels")
        if seed is not None and not (type(seed) is int and 0 <= seed < 2**63):
            raise InputError(f"field 'about.permuted_pixels' is {in_short(seed)}; it is a seed")

    def _require_as_trained(self) -> None:
        """Check that what is stated twice, of the images that it was trained on, agrees."""
        data = self.about.get("data", {})  # empty: trained elsewhere
        size = data.get("test_image_size", data.get("image_size"))
        for name, told, trained in (
            ("image_size", self.image_size, size),
            ("classes", len(self.classes), data.get("classes")),
        ):
            if trained not in (None, told):
                raise InputError(
                    f"field {name!r} is of {told}, and it was trained with {in_short(trained)}"
                )


def save_network(network: Network, card: Card, path: str | Path) -> None:
    """Write weights and card to one file, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    remedy = "choose another folder"
    write_whole(Path(path), network_bytes(network, card), what="network", remedy=remedy)


def network_bytes(network: Network, card: Card) -> bytes:
    """What a network file of these weights and this card holds."""
    tensors = storable(network_in(network).state_dict())
    values = asdict(card)
    if card.temperature == 1.0:  # as in files from before there was one
        del values["temperature"]
    metadata = {"format": FORMAT, "card": json.dumps(values), "digest": _digest(tensors)}
    return save(tensors, metadata)


def storable(entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Entries for a file, each by itself on the CPU: a part of a larger storage would be written
    with all of it, and two of one storage not at all by safetensors.

    Raises:
        InputError: they have no numbers.
    """
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, entry in entries.items():
        if entry.is_meta:
            raise InputError(f"entry {name!r} of the network is on the meta device and has no "
                             "numbers; load weights into it, or build it on the CPU")  # fmt: skip
        own = entry.detach().cpu().contiguous()
        storage = own.untyped_storage()
        is_alone = storage.nbytes() == own.nbytes and storage.data_ptr() not in seen
        found[name] = own if is_alone else own.clone()
        seen.add(storage.data_ptr())
    return found


def network_file(path: str | Path) -> Path:
    """The network file that a path names: itself, or that in the folder that training made."""
    path = Path(path)
    return path / "network.safetensors" if is_there(path) and path.is_dir() else path


@torch.inference_mode(False)  # parameters made in it could not be trained
def load_network(path: str | Path) -> tuple[Network, Card]:
    """A network in evaluation mode on the CPU, and its card.

    Raises:
        InputError: no such file, no network file, or weights that are not its design's.
    """
    path = network_file(path)
    tensors, metadata = _read(path)
    card = card_in(metadata, path)
    _require_possible(card, sum(entry.numel() for entry in tensors.values()), path)
    network = assemble(draw(card.design, len(card.classes), card.image_size))
    expected, found = (
        {name: (tuple(entry.shape), entry.dtype) for name, entry in entries.items()}
        for entries in (network.state_dict(), tensors)
    )
    if expected != found:
        wrong = sorted(n for n in expected.keys() | found.keys() if expected.get(n) != found.get(n))
        raise InputError(
            f"network file {path}: {len(wrong)} weights do not fit its design, the first "
            f"{wrong[0]!r}; the file is damaged or was edited"
        )
    if metadata.get("digest") and metadata["digest"] != _digest(tensors):  # files had none before
        raise InputError(
            f"network file {path} is damaged: its weights are not those that were written; bring "
            "back a copy of it, or train the network again"
        )
    network.load_state_dict(tensors, assign=True)
    return network.to(memory_format=torch.channels_last).eval(), card


def entries_in(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """The entries of a safetensors file, and its metadata. What the library and the system raise is
    raised."""
    with as_text(path) as name, safe_open(name, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _read(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """The weights and the metadata of a network file."""
    if not is_there(path):
        raise InputError(f"network file {path} does not exist; `nextify train` makes one")
    try:
        require_ordinary(path)
        return entries_in(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"cannot read network file {path} ({reason}); give one that `nextify train` wrote"
        ) from error


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """64 hexadecimal digits: the SHA-256 of all weights, with their names, types and shapes."""
    found = hashlib.sha256()
    for name, entry in sorted(tensors.items()):
        found.update(f" {name} {entry.dtype} {tuple(entry.shape)} ".encode())
        found.update(entry.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _require_possible(card: Card, numbers: int, path: Path) -> None:
    """Check, before anything is built, that a card's network is no larger than its weights, and
    that an image of its size fits the memory."""
    counted = cost(card.design, card.image_size, len(card.classes))
    if counted.params > numbers:
        raise InputError(
            f"network file {path}: its design has {counted.params:,} parameters, and it holds "
            f"{numbers:,} numbers; the file is damaged or was edited"
        )
    if counted.inference_bytes > memory():
        raise InputError(
            f"network file {path}: one image of its 'image_size' of {card.image_size} pixels takes "
            f"{gibibytes(counted.inference_bytes)} of memory, and this machine has "
            f"{gibibytes(memory())}; the file is damaged, or needs a larger machine"
        )


def card_in(metadata: Mapping[str, str], path: Path) -> Card:
    """The card in a network file's metadata.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path} is no network file of nextify (format {FORMAT!r} expected); give one that "
            "`nextify train` wrote"
        )
    try:
        return from_values(Card, parse_json(metadata["card"]))
    except (KeyError, ValueError) as error:  # an InputError is a ValueError
        raise InputError(
            f"network file {path} has a damaged card ({error}); give one that `nextify train` wrote"
        ) from error
