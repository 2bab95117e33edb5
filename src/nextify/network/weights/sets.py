"""Which entries of a checkpoint are a network's. Training programs nest them, write the names of
modules before theirs, and put others beside them, each in its own way; what they have in common is
that behind all of this stand the names of a known network."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import Tensor

from nextify.errors import InputError
from nextify.network.weights.namings import STEM, TABLES, Table, listed

_DEEPEST, _MOST_MAPPINGS = 3, 64  # mappings within mappings, and how many of them at each depth
_AVERAGE = re.compile(r"(^|[._])(ema|avg|averaged?|swa|teacher|shadow)([._]|$)")
_TABLES = tuple({table.rules: table for table in TABLES}.values())  # namings may share rules


@dataclass(frozen=True, eq=False, slots=True)
class _EntrySet:
    """A network's entries in a checkpoint.

    Attributes:
        mapping: the keys that lead to the mapping that holds them. prefix: of their names there.
        entries: by the names behind it. known: how many of them are those of a known network.
    """

    mapping: str
    prefix: str
    entries: Mapping[str, Any]
    known: int

    @property
    def where(self) -> str:
        """Mapping and prefix, as one name: what `wrapper` chooses by."""
        return ".".join(part for part in (self.mapping, self.prefix.rstrip(".")) if part)


def network_entries(
    name: str, found: Mapping[Any, Any], wrapper: str | None
) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """The entries of the network in a checkpoint, and what to say of the choice. Of several sets,
    the first of the largest that is no moving average is meant, or the one that `wrapper` names.
    Where no network is known, the largest set of tensors.

    >>> entries = {"stem.0.weight": Tensor([0]), "stages.0.blocks.0.gamma": Tensor([0])}
    >>> checkpoint = {f"model.{name}": entry for name, entry in entries.items()}
    >>> network_entries("x", {"state_dict": {**checkpoint, "loss.weight": Tensor([0])}}, None)[1]
    ('left out, as no part of the network: loss.weight',)

    Raises:
        InputError: there is none of this name.
    """
    mappings = list(_mappings(found))
    sets = [one for path, mapping in mappings for one in _sets_in(path, mapping)]
    named = [one for one in sets if wrapper is None or f".{wrapper}." in f".{one.where}."]
    if wrapper is not None and not named:
        known = ", ".join(one.where for one in sets if one.where)
        raise InputError(
            f"weights {name} have no {wrapper!r}; leave the wrapper out or choose one of: "
            f"{known or 'none, the entries are bare'}"
        )
    if not named:
        largest = max((mapping for _, mapping in mappings), key=_tensors)
        return {n: e for n, e in largest.items() if isinstance(e, Tensor)} or found, ()
    most = max(one.known for one in named)
    large = [one for one in named if 2 * one.known >= most]
    chosen = next((one for one in large if not _AVERAGE.search(one.where)), large[0])
    return chosen.entries, _notes(chosen, sets, dict(mappings)[chosen.mapping])


def _notes(chosen: _EntrySet, sets: list[_EntrySet], mapping: Mapping[str, Any]) -> tuple[str, ...]:
    """What else there is: other networks, and single entries."""
    others = [one for one in sets if one is not chosen]
    here = tuple(one.prefix for one in sets if one.mapping == chosen.mapping and one.prefix)
    names = [n for n in mapping if isinstance(n, str) and not isinstance(mapping[n], Mapping)]
    beside = [n for n in names if not (n.startswith(here) if here else n in chosen.entries)]
    notes = []
    if others:
        where = listed(one.where or "the bare entries" for one in others)
        notes.append(f"read from {chosen.where or 'the bare entries'!r} (not from {where}, also "
                     "there)")  # fmt: skip
    if beside and any(isinstance(mapping[n], Tensor) for n in beside):
        notes.append(f"left out, as no part of the network: {listed(beside)}")
    return tuple(notes)


def _mappings(found: Mapping[Any, Any]) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """A mapping and those in it, with the keys that lead there."""
    level = [("", found)]
    for _ in range(_DEEPEST + 1):
        yield from level
        inside = (
            (f"{path}.{key}".removeprefix("."), value)
            for path, mapping in level
            for key, value in mapping.items()
            if isinstance(key, str) and isinstance(value, Mapping)
        )
        level = list(islice(inside, _MOST_MAPPINGS))  # a file may hold one in itself


def _sets_in(path: str, mapping: Mapping[Any, Any]) -> Iterator[_EntrySet]:
    """The networks whose entries are in a mapping: for each prefix that leaves the name of a stem,
    what stands below it, if a table knows most of that."""
    names = [name for name in mapping if isinstance(name, str)]
    best: dict[str, _EntrySet] = {}
    for table in _TABLES:
        stem = table.name(STEM)
        assert stem is not None
        for prefix in (n.removesuffix(stem[0]) for n in names if f".{n}".endswith(f".{stem[0]}")):
            one = _set(path, prefix, {n: mapping[n] for n in names if n.startswith(prefix)}, table)
            if one is not None and (prefix not in best or one.known > best[prefix].known):
                best[prefix] = one
    yield from best.values()


def _set(path: str, prefix: str, found: Mapping[str, Any], table: Table) -> _EntrySet | None:
    below = {name.removeprefix(prefix): entry for name, entry in found.items()}
    ours = table.known(below)
    entries = {n: e for n, e in below.items() if n in ours or isinstance(e, Tensor)}
    has_blocks = any(own.startswith("stages.") for own in ours.values())
    if not has_blocks or 2 * len(ours) < len(entries):
        return None
    return _EntrySet(path, prefix, entries, len(ours))


def _tensors(mapping: Mapping[Any, Any]) -> int:
    return sum(isinstance(value, Tensor) for value in mapping.values())
