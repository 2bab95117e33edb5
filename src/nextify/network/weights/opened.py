"""A network from whatever holds it: a network file of nextify's, or weights in anyone's naming."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nextify.blueprint import draw
from nextify.designs import AnyDesign, Design, Swin, Vit, require_convolutional
from nextify.designs.fields import read_fields, with_fields
from nextify.errors import InputError
from nextify.network.build import assemble
from nextify.network.files import Card, load_network
from nextify.network.modules import Network
from nextify.network.weights.convert import as_card, design_of, names_of, own_card
from nextify.network.weights.load import Loaded, fill
from nextify.network.weights.namings import Table
from nextify.network.weights.pairing import classes_in
from nextify.network.weights.recognise import recognise
from nextify.network.weights.source import Weights, open_weights
from nextify.network.weights.swin import read_swin, swin_table
from nextify.network.weights.vit import HEAD_SIZE, VITS, read_vit, side_of, vit_table


def open_network(
    source: str | Path,
    design: AnyDesign | None = None,
    fields: Sequence[str] = (),
) -> tuple[Network, Card, tuple[str, ...]]:
    """A network in evaluation mode with its card, and what a user should know of how it was read.

    Args:
        source: as `open_weights` takes it: a network file of nextify's or the folder that training
            made, weights of a ResNet, a ConvNeXt, a ViT or a Swin as timm, torchvision and others
            name their entries, or a repository on the hub.
        design: that the weights are of; None: what they tell. fields: of it, as `FIELD=VALUE`.

    Raises:
        InputError: it cannot be read, or what network it is of is not known.
    """
    weights = open_weights(source)
    if own_card(weights) is not None and weights.path is not None:
        if design or fields:
            raise InputError(f"network {source} states its own design; leave out --design and "
                             "FIELD=VALUE")  # fmt: skip
        return *load_network(weights.path), ()
    table = vit_table(weights) or swin_table(weights)
    if table is None:
        network, card, loaded = _convolutional(weights, design, fields)
    else:
        network, card, loaded = _transformer(weights, table, design, fields)
    notes = loaded.notes
    if not loaded.preprocessing.is_stated:
        notes += ("how they look at images is not stated: as most networks of ImageNet do",)
    return network.eval(), card, notes


def _convolutional(
    weights: Weights, design: AnyDesign | None, fields: Sequence[str]
) -> tuple[Network, Card, Loaded]:
    given = None if design is None else require_convolutional(design, "what these weights are")
    told, classes = design_of(weights, "auto", given, None)
    chosen = with_fields(told, *read_fields(fields, Design))
    network = assemble(draw(chosen, classes))
    loaded = fill(network, weights, recognise(weights, "auto", network.state_dict()), "refuse")
    card = as_card(chosen, names_of(None, weights, None, classes), loaded)
    return network, card, loaded


def _transformer(
    weights: Weights, table: Table, design: AnyDesign | None, fields: Sequence[str]
) -> tuple[Network, Card, Loaded]:
    read, kind = (read_vit, Vit) if table in VITS else (read_swin, Swin)
    told = read(weights, table) if design is None else design
    if not isinstance(told, kind):
        raise InputError(f"weights {weights.source} are of a {table.architecture}; give one with "
                         "--design")  # fmt: skip
    (changes,) = read_fields(fields, kind)
    chosen, classes = with_fields(told, changes), classes_in(weights, table)
    if not classes:
        raise InputError(f"weights {weights.source} have no classifier; give weights that have one")
    side = side_of(weights, table, chosen) if isinstance(chosen, Vit) else None
    network = assemble(draw(chosen, classes, *([] if side is None else [side])))
    loaded = fill(network, weights, table, "refuse")
    if side is not None:
        seen = replace(loaded.preprocessing, image_size=side)
        assumed = f"heads of {HEAD_SIZE} channels are assumed; heads=N behind the name gives others"
        notes = (assumed,) * (design is None and "heads" not in changes)
        loaded = replace(loaded, preprocessing=seen, notes=(*loaded.notes, *notes))
    return network, as_card(chosen, names_of(None, weights, None, classes), loaded), loaded
