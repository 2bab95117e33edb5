"""Walking through layers: what each one computes, moves, needs alive and keeps.

The memory model, for one image, in the order in which the network runs:

- **Inference.** A map is alive from the layer that writes it to the last layer that reads it, and
  not longer. While a layer runs, its input, its output (none for a ReLU, which works in place)
  and whatever a later layer still reads are alive: the input of the block, which the shortcut
  needs, or what the shortcut made of it (the shortcut runs before the branch). Weights are not
  activations.
- **Training.** What autograd keeps for the backward pass of torch's own operators: the input of
  every convolution, linear layer, norm, GELU, layer scale and max pooling, and the output of every
  ReLU; each map once, at the first layer that keeps it. Besides these: the statistics of norms and
  the indices of max pooling. The image counts, too. Weights, gradients and the loss do not, nor do
  the random masks of stochastic depth. On a CPU nextify computes some convolutions as products,
  which keep a copy of the positions that they read. What attention keeps is said in
  `nextify.costs.layer`.
- **Moved.** What a layer reads and writes if nothing stays in a cache: its input, its parameters
  and its output; an addition reads two maps and writes one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from nextify.blueprint import specs, unfold
from nextify.costs.layer import LayerFacts, Shape, layer_facts, values_of


@dataclass(frozen=True, slots=True)
class PartCost:
    """What a part of a network costs for one image: a layer, `"stages.0.blocks.0.branch.spatial"`,
    or all of the stem, a stage or the head, summed over its layers, of which `inference_bytes` is
    the largest. The addition of a block's shortcut is a layer, too: `"stages.0.blocks.0.add"`.

    Attributes:
        name: its place in the network; empty until it has one. params: learned numbers.
        macs: multiply-accumulates.
        shape: of its output, (channels, height, width).
        inference_bytes: of activations alive while it runs.
        training_bytes: of activations that autograd newly keeps because of it.
        moved_bytes: read and written: inputs, parameters and outputs.
    """

    name: str
    params: int
    macs: int
    shape: Shape
    inference_bytes: int
    training_bytes: int
    moved_bytes: int


class Map(NamedTuple):
    """A map on its way through the network, and whether autograd keeps it already."""

    shape: Shape
    kept: bool = False


Parts = Sequence[tuple[str, PartCost]]
"""What layers cost, by name."""


def walk(
    layers: specs.Layers, entry: Map, width: int, held: int = 0, held_later: int = 0
) -> tuple[Parts, Map]:
    """The layers in order, and the map after them; `width` is bytes per value. `held` bytes stay
    alive beside them, and from the second layer on `held_later` too (a block's input is the input
    of the first)."""
    found: list[tuple[str, PartCost]] = []
    for name, layer in layers:
        if isinstance(layer, specs.Block):
            inside, entry = _block(layer, entry, width)
            found += _under(name, inside)
        elif isinstance(layer, specs.EncoderBlock | specs.WindowBlock | specs.PatchMerging):
            inside, entry = walk(unfold(layer, *entry.shape[1:]), entry, width)
            found += _under(name, inside)
        else:
            part, entry = _step(layer_facts(layer, entry.shape), entry, width, held)
            found.append((name, part))
            held, held_later = held + held_later, 0
    return found, entry


def _under(place: str, parts: Parts) -> Parts:
    return [(f"{place}.{name}", part) for name, part in parts]


@lru_cache(maxsize=16384)
def _block(block: specs.Block, entry: Map, width: int) -> tuple[Parts, Map]:
    """The layers of a block and the map after it."""
    entry_bytes = width * values_of(entry.shape)
    shortcut: Parts = ()
    held, held_later = 0, entry_bytes
    if block.shortcut:
        shortcut, aside = walk(block.shortcut, entry, width, 0, entry_bytes)
        entry = entry._replace(kept=True)  # by the shortcut's convolution
        held, held_later = width * values_of(aside.shape), 0
    branch, after = walk(block.branch, entry, width, held, held_later)
    three = 3 * width * values_of(after.shape)
    add = PartCost("", 0, 0, after.shape, three, 0, three)
    last, end = walk(block.after, Map(after.shape), width)
    begin = (*_under("shortcut", shortcut), *_under("branch", branch))
    return (*begin, ("add", add), *_under("after", last)), end


def _step(facts: LayerFacts, entry: Map, width: int, held: int) -> tuple[PartCost, Map]:
    inputs, outputs = width * values_of(entry.shape), width * values_of(facts.shape)
    keeps_one = (facts.keeps_input or facts.keeps_output) and not entry.kept
    kept = facts.keeps_bytes + width * facts.keeps_values + (inputs if keeps_one else 0)
    alive = inputs + (0 if facts.in_place else outputs)
    if facts.alive is not None:
        alive = width * facts.alive
    moved = inputs + width * facts.params + outputs
    part = PartCost("", facts.params, facts.macs, facts.shape, held + alive, kept, moved)
    return part, Map(facts.shape, kept=facts.keeps_output)
