"""A network's entries and a file's, one to one: what is missing, left over or of another shape."""

from collections.abc import Iterable, Sequence

from nextify.errors import InputError
from nextify.network.modules import Network
from nextify.network.weights.namings import Form, Shape, Table, shaped
from nextify.network.weights.source import COUNTER, Weights

CLASSIFIER = "head.classifier"
_HEAD = (f"{CLASSIFIER}.weight", f"{CLASSIFIER}.bias")
_SHOWN = 3


def foreign_names(network: Network, table: Table) -> dict[str, tuple[str, Form]]:
    """The name and the form of every entry of a network, in a naming.

    Raises:
        InputError: the naming has no name for one.
    """
    names = {ours: table.name(ours) for ours in network.state_dict()}
    nameless = [ours for ours, name in names.items() if name is None]
    if nameless:
        raise InputError(
            f"the names that {table.naming} has for a {table.architecture} do not reach "
            f"{listed(nameless)} of the network; it is of another design"
        )
    return {ours: name for ours, name in names.items() if name is not None}


def match_entries(network: Network, weights: Weights, table: Table) -> dict[str, str]:
    """Their name for each entry of ours. Only counters of batches may be missing, and the head.

    A classifier for another number of classes, or none, is left out; then the head is new.

    Raises:
        InputError: entries missing, left over or of another shape; the first few of each by name.
    """
    names = foreign_names(network, table)
    shapes = {ours: tuple(entry.shape) for ours, entry in network.state_dict().items()}
    head_is_new = _is_other_head(weights, [names[ours][0] for ours in _HEAD], shapes[_HEAD[0]])
    expected = {theirs: ours for ours, (theirs, _) in names.items()}
    wanted = {o: t for t, o in expected.items() if not (head_is_new and o in _HEAD)}
    kept = {ours: theirs for ours, theirs in wanted.items() if theirs in weights.entries}
    missing = [t for o, t in wanted.items() if o not in kept and not t.endswith(COUNTER)]
    misshapen = []
    for ours, theirs in kept.items():
        found, own = tuple(weights.entries[theirs].shape), shapes[ours]
        usual = shaped(own, names[ours][1])
        if found not in (own, usual):
            misshapen.append(f"{theirs} ({_by(found)}, not {_by(usual)})")
    surplus = [theirs for theirs in weights.entries if theirs not in expected]
    wrong = {"missing": missing, "left over": surplus, "of another shape": misshapen}
    parts = [f"{len(which)} {what}: {listed(which)}" for what, which in wrong.items() if which]
    if parts:
        raise InputError(
            f"weights {weights.source}, in the naming of {table.naming}, do not fit the network: "
            f"{'; '.join(parts)}; use the design that they were made for"
        )
    return kept


def _is_other_head(weights: Weights, theirs: Sequence[str], own: Shape) -> bool:
    """Whether the file's classifier, at these two names, is whole but for other classes; or
    there is none."""
    weight, bias = (weights.entries.get(name) for name in theirs)
    if weight is None or bias is None:
        return weight is bias
    classes = weight.shape[:1]
    return weight.shape[1:] == own[1:] and bias.shape == classes and classes != own[:1]


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more there are. They come from a file: what does not print,
    as a line break, is escaped.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    every = list(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(name if name.isprintable() else repr(name) for name in every[:_SHOWN]) + more


def _by(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
