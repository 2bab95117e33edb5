"""Weights that a run starts from: read, checked against the design, and named by a fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from nextify.data import Dataset
from nextify.designs import AnyDesign, Design, Initial, Run, require_convolutional
from nextify.designs.fields import written
from nextify.errors import InputError
from nextify.network import Card, Loaded, Network, build
from nextify.network.weights.convert import own_card
from nextify.network.weights.load import fill
from nextify.network.weights.pairing import CLASSIFIER
from nextify.network.weights.recognise import read_design, recognise
from nextify.network.weights.source import Weights, open_weights
from nextify.training.machine import plain_torch
from nextify.training.seen import saw
from nextify.words import composed

Source = str | Path | Mapping[str, Any] | Weights


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """Trained weights for a network.

    Attributes:
        entries: by our names; without the classifier where that is to be new.
        about: for `Run.initial`. loaded: what was read, and as what.
        notes: what a user should know of how they were trained and are used.
        saw: which images they have seen, as far as it is known (`nextify.training.seen.saw`).
        trained_as: in which fields the design that they were trained as is not the run's, in
            words; none where that is not known, and of shapes alone.
    """

    entries: Mapping[str, Tensor]
    about: Initial
    loaded: Loaded
    notes: tuple[str, ...] = ()
    trained_as: tuple[str, ...] = ()
    saw: tuple[Mapping[str, Any], ...] = ()


@plain_torch()
def initial_weights(
    source: Source, design: AnyDesign, classes: Sequence[str], *, new_head: bool = False
) -> InitialWeights:
    """Read weights for a run to start from.

    The classifier is kept only where it can be that of the run's classes: there are as many, and
    the names that a network file of nextify has for them are the same, in any order: its outputs
    are put in the order of the classes. Otherwise it will be new.

    >>> from nextify import build, design
    >>> trained = build(design("convnext-mini"), classes=10).state_dict()
    >>> weights = initial_weights(trained, design("convnext-mini"), ("cat", "dog"))
    >>> weights.loaded.head_is_new, len(weights.about.fingerprint)
    (True, 64)

    Args:
        source: as `nextify.network.load_weights` takes it: a file or folder in any naming, a
            repository on the hub, a state dictionary.
        design: of the run. classes: the names of its classes.
        new_head: draw the classifier anew in any case.

    Raises:
        InputError: they cannot be read, or are of another design; names the fields that differ.
    """
    design = require_convolutional(design, "training from weights")
    weights = open_weights(source)
    network = build(design, len(classes), device="meta")
    card = own_card(weights)
    differing = _differing(weights, card, design)
    try:
        table = recognise(weights, "auto", network.state_dict())
        loaded = fill(network, weights, table)
    except InputError as error:
        if not differing:
            raise
        raise InputError(
            f"weights {weights.source} are of another design: {', '.join(differing)}; leave the "
            "design out to use theirs, or give the weights of yours"
        ) from error
    order = None if new_head or loaded.head_is_new else _order(_names_of(weights, card), classes)
    loaded = replace(loaded, head_is_new=order is None)
    entries = _with_outputs(network.state_dict(), order)
    images = loaded.preprocessing
    about = Initial(
        source=weights.source,
        fingerprint=fingerprint(entries),
        mean=images.mean,
        std=images.std,
        head_is_new=order is None,
    )
    notes = [f"the weights were trained as {', '.join(differing)}"] * bool(differing)
    if order is not None and order != sorted(order):
        notes.append("the head's outputs are put in the order of the images' classes, by name")
    has_seen = () if card is None else tuple(filter(None, saw(card.about)))
    return InitialWeights(entries, about, loaded, tuple(notes), tuple(differing), has_seen)


@lru_cache(maxsize=4)  # an entry has the fingerprint that is asked for: none is out of date
def weights_of(about: Initial, design: AnyDesign, classes: tuple[str, ...]) -> InitialWeights:
    """The weights that a plan names, read again from where they are from: once by a process, as
    long as it has few.

    Args:
        about: as `initial_weights` said it. design, classes: of the run.

    Raises:
        InputError: they are not there any more, or are others.
    """
    try:
        weights = initial_weights(about.source, design, classes, new_head=about.head_is_new)
    except InputError as error:
        raise InputError(f"runs of this study start from weights that cannot be read any more: "
                         f"{error}") from error  # fmt: skip
    if weights.about.fingerprint != about.fingerprint:
        raise InputError(
            f"the weights {about.source} are not those that the study was planned with: their "
            f"fingerprint was {about.fingerprint[:8]}... and is "
            f"{weights.about.fingerprint[:8]}... now; bring them back, or start another study file"
        )
    return weights


def design_of(source: Source) -> AnyDesign:
    """The design that weights are of: what a network file of nextify states, or what names and
    shapes tell.

    Raises:
        InputError: they cannot be read, or do not tell it.
    """
    weights = open_weights(source)
    card = own_card(weights)
    if card is not None:
        return card.design
    recognise(weights)  # which says what networks are not known: there is no design to name
    try:
        return read_design(weights).design
    except InputError as error:
        raise InputError(
            f"which design the weights {weights.source} are of is not known ({error}); name it, "
            "as in `nextify train DESIGN --weights ...`"
        ) from error


def _names_of(weights: Weights, card: Card | None) -> tuple[str, ...]:
    """What weights state that their classes are; nothing where they do not."""
    return weights.stated.class_names if card is None else card.classes


def _order(names: Sequence[str], classes: Sequence[str]) -> list[int] | None:
    """Which output of a head is that of each class; None if its classes are others.

    Outputs without names have their numbers; a card may have these for want of names. Classes that
    are no numbers then stand in the order of the outputs, as those do that count from 1 upwards.
    """
    numbers = [str(output) for output in range(len(classes))]
    theirs = [composed(name) for name in names] or numbers
    ours = [composed(name) for name in classes]
    if len(theirs) != len(ours):
        return None
    if theirs == numbers and all(name.isdecimal() for name in ours):
        values = [int(name) for name in ours]
        if sorted(values) == list(range(len(ours))):
            return values
        return list(range(len(ours))) if values == sorted({*values}) else None
    if {*ours} == {*theirs}:
        return [theirs.index(name) for name in ours]
    return list(range(len(ours))) if theirs == numbers else None


def _with_outputs(entries: Mapping[str, Tensor], order: list[int] | None) -> dict[str, Tensor]:
    """Entries with the classifier's outputs in an order; without the classifier for None."""
    head = {name for name in entries if name.startswith(f"{CLASSIFIER}.")}
    if order is None:
        return {name: entry for name, entry in entries.items() if name not in head}
    return {name: entry[order] if name in head else entry for name, entry in entries.items()}


def _differing(weights: Weights, card: Card | None, design: Design) -> list[str]:
    """The fields in which a design differs from the weights' own, in words; none if that is not
    known. Shapes alone do not tell a design whole: there, what differs has to be in them."""
    try:
        theirs = read_design(weights).design if card is None else card.design
    except InputError:
        return []
    if not isinstance(theirs, Design):
        return [f"kind={theirs.kind} (not convolutional)"]
    names = _SHOWN_IN_SHAPES if card is None else [field.name for field in fields(Design)]
    values = ((name, getattr(theirs, name), getattr(design, name)) for name in names)
    return [f"{name}={written(a)} (not {written(b)})" for name, a, b in values if a != b]


_SHOWN_IN_SHAPES = [
    "depths", "widths", "block", "spatial", "bottleneck", "ratio", "kernel_size", "norm",
    "downsampling", "response_norm",
]  # fmt: skip


def fingerprint(entries: Mapping[str, Tensor]) -> str:
    """The SHA-256, in hex, over names, shapes, types and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(entries):
        entry = entries[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, list(entry.shape), str(entry.dtype)]).encode())
        digest.update(entry.flatten().numpy().data.cast("B"))
    return digest.hexdigest()


def put_into(network: Network, weights: InitialWeights | None, run: Run) -> None:
    """Overwrite an initialised network with the weights that its run names, if it names any.

    Raises:
        InputError: they are missing, or are not the run's.
    """
    named = None if run.initial is None else run.initial.fingerprint
    given = None if weights is None else fingerprint(weights.entries)
    if named != given:
        raise InputError(
            f"the run starts from {_named(named)}, but {_named(given)} are given; read them with "
            "initial_weights, and give the run what they say of themselves (initial=weights.about)"
        )
    if weights is not None:
        network.load_state_dict(weights.entries, strict=False)


def _named(digest: str | None) -> str:
    return "random weights" if digest is None else f"the weights {digest[:8]}..."


def as_seen(dataset: Dataset, run: Run) -> Dataset:
    """The data set as the run's network sees it: normalised as its initial weights know images."""
    if run.initial is None:
        return dataset
    return replace(dataset, mean=run.initial.mean, std=run.initial.std)
