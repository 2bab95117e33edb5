"""Candidates: designs with the weights that they start from, from words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nextify.designs import Design, Initial, require_convolutional
from nextify.designs.families import canonical
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.files import is_there

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
    from nextify.training.initial import design_of, initial_weights  # which imports torch

    own = require_convolutional(design_of(source), f"training from weights ({source})")
    chosen = with_fields(own, fields)
    weights = initial_weights(source, chosen, classes)
    if weights.trained_as:
        raise InputError(
            f"weights {source} are of another design: {', '.join(weights.trained_as)}; leave the "
            "field out: what is changed of a network that starts from weights is its recipe"
        )
    return chosen, weights.about
