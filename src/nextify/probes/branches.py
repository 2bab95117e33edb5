"""What a residual block adds to what: its branch and its skip, in ours and in foreign networks.

A block gives end(skip + branch). The skip is what flows into the block or, where it has a module of
that name, what `shortcut` or `downsample` makes of it; the end is the block's last activation
function, where its output is that of one (ResNet's), else nothing. The branch is what is left. Of a
transformer's block, which adds two, it is both together.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nextify.probes.anatomy import watched
from nextify.probes.probe import Subject, Undefined

_BATCH = 32  # images at a time: blocks' outputs are kept for a while


@dataclass(frozen=True)
class Parts:
    """Of one block for some images: the sum of both is what comes before the block's `end`."""

    skip: Tensor
    branch: Tensor
    end: nn.Module = field(default_factory=nn.Identity)


def skip_of(block: nn.Module, given: Tensor) -> Tensor:
    """What a block adds its branch to."""
    inside = dict(block.named_children())
    for name in ("shortcut", "downsample"):
        if name in inside:
            skip: Tensor = inside[name](given)
            return skip
    return given


def see_parts(subject: Subject, see: Callable[[str, Parts], object], images: Tensor) -> None:
    """`see` gets the name and the parts of every block that has a skip, for some images at a time.

    Raises:
        Undefined: no block has one.
    """
    network, blocks = subject.network, subject.anatomy.blocks
    inside = {
        name: block
        for block in blocks
        for name in subject.anatomy.activations
        if name.startswith(f"{block}.")
    }
    given: dict[str, Tensor] = {}
    last: dict[str, tuple[str, Tensor]] = {}
    seen: Counter[str] = Counter()

    def begins(block: str, tensor: Tensor) -> None:
        given[block] = tensor.clone()

    def bends(name: str, tensor: Tensor) -> None:
        last[inside[name]] = (name, tensor.clone())

    def ends(block: str, tensor: Tensor) -> None:
        before, end = _before_the_end(network, tensor, last.pop(block, None))
        skip = skip_of(network.get_submodule(block), given.pop(block))
        last.pop(block, None)  # an activation function in the shortcut
        if skip.shape == before.shape:
            seen[block] += 1
            see(block, Parts(skip, before - skip, end))

    with (
        torch.no_grad(),
        watched(network, blocks, begins, inputs=True),
        watched(network, list(inside), bends, inputs=True),
        watched(network, blocks, ends),
    ):
        for part in torch.split(images, _BATCH):
            network(part)
    if not seen:
        raise Undefined("no block of this network adds a branch to what it is given")


def _before_the_end(
    network: nn.Module, out: Tensor, last: tuple[str, Tensor] | None
) -> tuple[Tensor, nn.Module]:
    """A block's sum, and the activation function that its output is of, if that is one."""
    if last is not None:
        name, given = last
        module = network.get_submodule(name)
        if given.shape == out.shape and torch.equal(module.forward(given.clone()), out):
            return given, module
    return out, nn.Identity()


def by_stage(subject: Subject, found: dict[str, float]) -> dict[str, float]:
    """The mean over a stage's blocks, by `stage1` ..., of what was found of some blocks."""
    means = {}
    for at, stage in enumerate(subject.anatomy.stages, 1):
        own = [found[block] for block in stage if block in found]
        if own:
            means[f"stage{at}"] = sum(own) / len(own)
    return means
