"""Candidates: designs with the weights that they start from, from words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nextify.designs import Design, Initial, require_convolutional
from nextify.designs.families import canonical
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.files import is_there
from nextify.words import listed

HUB = "hf:"  # as `nextify.network.weights.hub` has it, which imports torch's neighbours
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def is_source(word: str) -> bool:
    """Whether a word says where weights are. The names of designs are designs, whatever lies in
    the working directory: a folder of such a name is `./NAME`.

    >>> [is_source(word) for word in ("hf:timm/resnet50.a1_in1k", "lost.pth", "convnext-mini", "x")]
    [True, True, False, False]
    """
    try:
        canonical(word)
    except InputError:
        is_path = "/" in word or word.endswith(_SUFFIXES)
        return is_path or word.startswith(HUB) or is_there(Path(word))
    return False


def read_candidate(
    source: str, fields: Mapping[str, Any], classes: Sequence[str]
) -> tuple[Design, Initial]:
    """The design of weights, and what a run says of them that starts from them.

    Args:
        source: as `initial_weights` takes it. classes: the names of the run's.
        fields: of the design that shapes do not tell, as stem_stride=2 of a 3 x 3 stem.

    Raises:
        InputError: they cannot be read, are not known, or are of another design than the fields
            make it.
    """
    from nextify.network.weights.source import open_weights  # which imports torch
    from nextify.training.initial import design_of, initial_weights

    there = open_weights(source)
    own = require_convolutional(design_of(there), f"training from weights ({source})")
    chosen = with_fields(own, fields)
    weights = initial_weights(there, chosen, classes)
    if weights.trained_as:
        raise InputError(
            f"weights {source} are of another design: {', '.join(weights.trained_as)}; leave the "
            "field out: what is changed of a network that starts from weights is its recipe"
        )
    return chosen, weights.about


@dataclass(frozen=True, slots=True)
class Start:
    """Weights that all designs of a study start from.

    Attributes:
        source: as `initial_weights` takes it. classes: the names of the study's.
    """

    source: str
    classes: tuple[str, ...]
    _known: dict[Design, Initial] = field(default_factory=dict, compare=False)

    def of(self, design: Design) -> Initial:
        """What a run of a design says of them. Raises `InputError`: they are of another design."""
        from nextify.training.initial import initial_weights  # which imports torch

        if design not in self._known:
            self._known[design] = initial_weights(self.source, design, self.classes).about
        return self._known[design]

    def require(self, changes: Iterable[tuple[str, Design, Design]]) -> None:
        """Check that choices, by name the design without and with each, change no weights.

        Raises:
            InputError: with all that do.
        """
        count = len(self.classes)
        barred = [
            name
            for name, before, after in changes
            if before != after and _shapes(before, count) != _shapes(after, count)
        ]
        if barred:
            names = listed([repr(name) for name in dict.fromkeys(barred)])
            raise InputError(
                f"not all designs can start from the weights {self.source}: {names} change which "
                "weights a network has; leave them out, as an --experiment with --factors of the "
                "others does, or train from scratch"
            )


@cache
def _shapes(design: Design, classes: int) -> dict[str, tuple[int, ...]]:
    """The sizes of a network's weights, by name."""
    from nextify.blueprint import draw
    from nextify.network.build import assemble

    entries = assemble(draw(design, classes)).state_dict()
    return {name: tuple(entry.shape) for name, entry in entries.items()}
