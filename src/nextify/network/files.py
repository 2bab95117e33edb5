"""A trained network as one file: weights, and all that is needed to use them.

The file is in the safetensors format, which holds no code. Its metadata carries the design, the
names of the classes and the preprocessing, so that images can be classified with nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from nextify.blueprint import draw
from nextify.designs import AnyDesign, design_from_dict
from nextify.designs.fields import fits, hints
from nextify.errors import InputError
from nextify.files import as_text, write_whole
from nextify.network.build import assemble
from nextify.network.modules import Network
from nextify.network.weights.preprocessing import Preprocessing

FORMAT = "nextify-network-1"


@dataclass(frozen=True, slots=True)
class Card:
    """What belongs to a network's weights.

    Attributes:
        classes: names, in the order of the outputs.
        image_size: side in pixels. mean, std: per channel in [0, 1].
        about: how it was trained (run, accuracy), for people.
    """

    design: AnyDesign
    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    about: dict[str, Any]

    def __post_init__(self) -> None:
        if not (fits(self.classes, hints(Card)["classes"]) and self.classes):
            raise InputError(f"'classes' is {self.classes!r}")
        # Which refuses what cannot be meant.
        Preprocessing(mean=self.mean, std=self.std, image_size=self.image_size)


def save_network(network: Network, card: Card, path: Path) -> None:
    """Write weights and card to one file, whole or not at all.

    Raises:
        InputError: if the file cannot be written.
    """
    metadata = {"format": FORMAT, "card": json.dumps(asdict(card))}
    tensors = {name: entry.contiguous().cpu() for name, entry in network.state_dict().items()}
    write_whole(path, save(tensors, metadata), what="network", remedy="choose another folder")


def load_network(path: Path) -> tuple[Network, Card]:
    """A network in evaluation mode on the CPU, and its card.

    Raises:
        InputError: no such file, no network file, or weights that are not its design's.
    """
    if path.is_dir():
        path = path / "network.safetensors"
    if not path.exists():
        raise InputError(f"network file {path} does not exist; `nextify train` makes one")
    try:
        with as_text(path) as name, safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"cannot read network file {path} ({reason}); give one that `nextify train` wrote"
        ) from error
    card = card_in(metadata, path)
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
    network.load_state_dict(tensors, assign=True)
    return network.to(memory_format=torch.channels_last).eval(), card


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
        values: dict[str, Any] = json.loads(metadata["card"])
        design = design_from_dict(values.pop("design"))
        tidy: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return Card(design=design, **tidy)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"network file {path} has a damaged card ({error}); give one that `nextify train` wrote"
        ) from error
