"""A network's entries and a file's, one to one: what is missing, left over or of another shape."""

from collections.abc import Mapping, Sequence

from nextify.errors import InputError
from nextify.network.modules import Network
from nextify.network.weights.namings import (
    COUNTER,
    INDEX,
    STEM,
    Form,
    Shape,
    Table,
    listed,
    shaped,
)
from nextify.network.weights.source import Weights

CLASSIFIER = "head.classifier"
HEAD_NORM = "head.norm"
_HEAD = (f"{CLASSIFIER}.weight", f"{CLASSIFIER}.bias")
_HEAD_NORM = (f"{HEAD_NORM}.weight", f"{HEAD_NORM}.bias")


def foreign_names(network: Network, table: Table) -> dict[str, tuple[str, Form]]:
    """The name and the form of every entry of a network, in a naming; not of those that follow from
    the design.

    Raises:
        InputError: the naming has no name for one.
    """
    own = (ours for ours in network.state_dict() if not ours.endswith(INDEX))
    names = {ours: table.name(ours) for ours in own}
    nameless = [ours for ours, name in names.items() if name is None]
    if nameless:
        raise InputError(
            f"the network is of another design: for {listed(nameless)} there are no names in the "
            f"naming of {table.naming}"
        )
    return {ours: name for ours, name in names.items() if name is not None}


def match_entries(network: Network, weights: Weights, table: Table) -> dict[str, str]:
    """Their name for each entry of ours. Only counters of batches may be missing, and the head.

    A classifier for another number of classes, or none, is left out; then the head is new, with its
    norm where the weights end before that. A stem of one channel fits one of three.

    Raises:
        InputError: entries missing, left over or of another shape; the first few of each by name.
    """
    names = _names_for(network, weights, table)
    shapes = {ours: tuple(entry.shape) for ours, entry in network.state_dict().items()}
    new = _new_entries(weights, names, shapes)
    expected = {theirs: ours for ours, (theirs, _) in names.items()}
    wanted = {o: t for t, o in expected.items() if o not in new}
    kept = {ours: theirs for ours, theirs in wanted.items() if theirs in weights.entries}
    found = {ours: tuple(weights.entries[theirs].shape) for ours, theirs in kept.items()}
    _require_channels(weights, found.get(STEM, ()), shapes[STEM])
    wrong = {
        "missing": [t for o, t in wanted.items() if o not in kept and not t.endswith(COUNTER)],
        "left over": [t for t in weights.entries if t not in expected and not t.endswith(INDEX)],
        "of another shape": [
            f"{kept[ours]} ({_by(shape)}, not {_by(shaped(shapes[ours], names[ours][1]))})"
            for ours, shape in found.items()
            if not _fits(ours, shape, shapes[ours])
        ],
    }
    parts = [f"{len(which)} {what}: {listed(which)}" for what, which in wrong.items() if which]
    if parts:
        raise InputError(
            f"weights {weights.source}, in the naming of {table.naming}, do not fit the network: "
            f"{'; '.join(parts)}; use the design that they were made for"
        )
    return kept


def _names_for(network: Network, weights: Weights, table: Table) -> dict[str, tuple[str, Form]]:
    try:
        return foreign_names(network, table)
    except InputError as error:
        raise InputError(
            f"weights {weights.source} are in the naming of {table.naming} ({table.architecture}), "
            f"and {error}"
        ) from None


def _require_channels(weights: Weights, found: Shape, own: Shape) -> None:
    """Images of three channels, or of one, whose weights can be spread over three."""
    if len(found) == len(own) and found[1] not in (1, own[1]):
        raise InputError(
            f"weights {weights.source} are for images of {found[1]} channels, and nextify's "
            f"networks see {own[1]}; give weights for images in colour or grey"
        )


def _fits(ours: str, found: Shape, own: Shape) -> bool:
    is_grey = ours == STEM and found == (own[0], 1, *own[2:])
    return is_grey or _filled(found) == _filled(own)


def _new_entries(
    weights: Weights, names: Mapping[str, tuple[str, Form]], shapes: Mapping[str, Shape]
) -> Sequence[str]:
    """Those of the network's head that the weights cannot fill: the classifier of other classes
    or none, and the norm before it where that is missing, too (V2's pre-trained files)."""
    head = [names[ours][0] for ours in (*_HEAD, *_HEAD_NORM) if ours in names]
    if not any(theirs in weights.entries for theirs in head):
        return *_HEAD, *_HEAD_NORM
    return _HEAD if _is_other_head(weights, head[:2], shapes[_HEAD[0]]) else ()


def classes_in(weights: Weights, table: Table) -> int | None:
    """How many classes the file's classifier has; None: there is none."""
    name = table.name(_HEAD[1])
    bias = weights.entries.get(name[0]) if name else None
    return None if bias is None else bias.numel()


def _is_other_head(weights: Weights, theirs: Sequence[str], own: Shape) -> bool:
    """Whether the file's classifier, at these two names, is whole but for other classes; or
    there is none."""
    weight, bias = (weights.entries.get(name) for name in theirs)
    if weight is None or bias is None:
        return weight is bias
    classes = weight.shape[:1]
    fits = _filled(weight.shape[1:]) == _filled(own[1:]) and bias.shape == classes
    return fits and classes != own[:1]


def _filled(shape: Shape) -> Shape:
    """A shape without its sides of 1: C numbers are (1, C) or (1, 1, 1, C) elsewhere, and 1 x 1
    convolutions matrices; the numbers and their order are the same.

    >>> _filled((1, 1, 1, 384)), _filled((384, 96, 1, 1)), _filled((1,))
    ((384,), (384, 96), ())
    """
    return tuple(side for side in shape if side != 1)


def _by(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
