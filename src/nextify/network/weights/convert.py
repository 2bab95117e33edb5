"""Weights from one naming to another."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from nextify.blueprint import draw
from nextify.designs import FAMILIES, AnyDesign, Design, require_convolutional
from nextify.errors import InputError
from nextify.network.build import assemble
from nextify.network.files import FORMAT, Card, card_in, save_network
from nextify.network.weights.load import Loaded, fill
from nextify.network.weights.namings import NamingName
from nextify.network.weights.pairing import classes_in
from nextify.network.weights.preprocessing import SEEN
from nextify.network.weights.recognise import read_design, recognise
from nextify.network.weights.save import save_weights
from nextify.network.weights.source import Weights, open_weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Converted:
    """What was read, and what it was taken for."""

    loaded: Loaded
    design: Design
    classes: tuple[str, ...]

    @property
    def design_name(self) -> str | None:
        """The name of the design, if it is one of the published families."""
        return next((name for name, known in FAMILIES.items() if known == self.design), None)


def convert_weights(
    source: str | Path,
    target: str | Path,
    *,
    read_as: Literal["auto"] | NamingName = "auto",
    write_as: NamingName = "nextify",
    design: Design | None = None,
    class_names: Sequence[str] | None = None,
    allow_nonfinite: bool = False,
    wrapper: str | None = None,
) -> Converted:
    """Read weights in one naming and write them in another.

    A safetensors file in nextify's naming is a network file, with design, names of the classes and
    preprocessing in it: `nextify evaluate` and `nextify predict` take it.

    Args:
        design: that the weights were made for; by default what the file says (nextify's own) or
            what its shapes tell.
        class_names: in the order of the outputs; by default those of the file, or their numbers.

    Raises:
        InputError: the weights cannot be read or written so.
    """
    weights, target = open_weights(source, wrapper), Path(target)
    if weights.path is not None and target.exists() and target.samefile(weights.path):
        raise InputError(f"{target} is the file to be read; write to another one")
    card = own_card(weights)
    chosen, classes = design_of(weights, read_as, design, card)
    network = assemble(draw(chosen, classes))
    table = recognise(weights, read_as, network.state_dict())
    loaded = fill(network, weights, table, "refuse", allow_nonfinite)
    names = names_of(class_names, weights, card, classes)
    if write_as == "nextify" and target.suffix == ".safetensors":
        own = card and replace(card, design=chosen, classes=names)
        save_network(network, own or as_card(chosen, names, loaded), target)
    else:
        save_weights(network, target, write_as, preprocessing=loaded.preprocessing)
    return Converted(loaded=loaded, design=chosen, classes=names)


def own_card(weights: Weights) -> Card | None:
    """The card of a network file of nextify."""
    if weights.metadata.get("format") != FORMAT or weights.path is None:
        return None
    return card_in(weights.metadata, weights.path)


def design_of(
    weights: Weights, naming: str, given: Design | None, card: Card | None
) -> tuple[Design, int]:
    """The design, and the number of classes."""
    if given is None and card is not None:
        return require_convolutional(card.design, "convert"), len(card.classes)
    if given is None:
        design, classes = read_design(weights, naming)
    else:
        table = recognise(weights, naming, assemble(draw(given, 1)).state_dict())
        design, classes = given, classes_in(weights, table)
    if not classes:
        raise InputError(
            f"weights {weights.source} have no classifier, so that their classes cannot be told; "
            "load them into a network with nx.load_weights, or train one from them with --weights"
        )
    return design, classes


def names_of(
    given: Sequence[str] | None, weights: Weights, card: Card | None, classes: int
) -> tuple[str, ...]:
    """The names of weights' classes: those given, or theirs, or their numbers."""
    if given is None and card is not None and len(card.classes) == classes:
        return card.classes
    stated = given if given is not None else weights.stated.class_names
    names = tuple(stated or map(str, range(classes)))
    if len(names) != classes:
        raise InputError(
            f"{len(names)} names of classes are given, and the weights have {classes} classes; "
            "give one name for each"
        )
    return names


def as_card(design: AnyDesign, classes: tuple[str, ...], loaded: Loaded) -> Card:
    """What belongs to weights that were read, with how they look at images."""
    images = asdict(loaded.preprocessing)
    about = {"weights": Path(loaded.source).name, "naming": loaded.naming, "preprocessing": images}
    seen = {name: images[name] for name in SEEN}
    return Card(design=design, classes=classes, about=about, **seen)
