"""Where a network's parts are, by name, and what flows out of them.

Of nextify's own networks it is known. Of foreign ones (timm, torchvision) a stage is a `Sequential`
or `ModuleList` whose members are modules of one class that is not torch's own, its members are the
blocks, and of nested ones the innermost counts, other than stems and what leads past a block or to
a stage. That is how all of them are built.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nextify.network.modules import Network, ResponseNorm2d

_CONTAINERS = (nn.Sequential, nn.ModuleList)
# Rows of these names may be one module alone (a 1 x 1 convolution, a Swin's merging): no stages.
_BESIDE = {"stem", "downsample", "shortcut"}
# By the names of their classes: timm has its own of torch's names.
ACTIVATIONS = {"ReLU", "GELU", "Gelu", "SiLU", "ReLU6", "LeakyReLU", "ELU", "Hardswish", "Mish"}
NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, ResponseNorm2d)


@dataclass(frozen=True)
class Anatomy:
    """Names of a network's modules (`network.get_submodule`), in the order in which they run.

    Attributes:
        stages: the blocks of each stage.
        activations, norms: all modules of these kinds.
        classifier: the last linear layer; empty if there is none.
    """

    stages: tuple[tuple[str, ...], ...]
    activations: tuple[str, ...]
    norms: tuple[str, ...]
    classifier: str

    @property
    def blocks(self) -> tuple[str, ...]:
        """Of all stages."""
        return tuple(block for stage in self.stages for block in stage)


def anatomy(network: nn.Module) -> Anatomy:
    """Where the parts of a network are.

    >>> from torchvision.models import resnet18
    >>> anatomy(resnet18()).stages[0]
    ('layer1.0', 'layer1.1')
    """
    named = dict(network.named_modules())
    linear = [name for name, module in named.items() if isinstance(module, nn.Linear)]
    return Anatomy(
        stages=_known(network) if isinstance(network, Network) else tuple(_stages(network)),
        activations=tuple(n for n, module in named.items() if type(module).__name__ in ACTIVATIONS),
        norms=tuple(name for name, module in named.items() if isinstance(module, NORMS)),
        classifier=linear[-1] if linear else "",
    )


def _known(network: Network) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(f"stages.{at}.blocks.{each}" for each in range(len(stage.blocks)))
        for at, stage in enumerate(network.blueprint.stages)
    )


def _stages(network: nn.Module) -> Iterator[tuple[str, ...]]:
    rows = {
        name: module
        for name, module in network.named_modules()
        if name.rpartition(".")[2] not in _BESIDE and _is_row(module)
    }
    for name, module in rows.items():
        if not any(other.startswith(f"{name}.") for other in rows):
            yield tuple(f"{name}.{child}" for child, _ in module.named_children())


def _is_row(module: nn.Module) -> bool:
    """Whether a module is a row of modules of one class that is not torch's own, with weights."""
    classes = {type(child) for child in module.children()}
    if not isinstance(module, _CONTAINERS) or len(classes) != 1:
        return False
    (kind,) = classes
    has_layers = any(isinstance(inside, nn.Linear | nn.Conv2d) for inside in module.modules())
    return has_layers and not kind.__module__.startswith("torch.nn")


def outputs(
    network: nn.Module, images: Tensor, names: Sequence[str], inputs: bool = False
) -> dict[str, Tensor]:
    """What flows out of (or into) modules for images, by name, as the modules have it.

    A module that runs more than once is heard the first time.
    """
    with heard(network, names, inputs) as found:
        network(images)
    return dict(found)


@contextmanager
def heard(
    network: nn.Module, names: Sequence[str], inputs: bool = False
) -> Iterator[Mapping[str, Tensor]]:
    """Inside, what flows out of (or into) modules is kept."""
    found: dict[str, Tensor] = {}

    def keep(name: str, tensor: Tensor) -> None:
        # A copy where the next module may write into it (`nn.ReLU(inplace=True)`).
        found.setdefault(name, tensor.clone())

    with watched(network, names, keep, inputs):
        yield found


@contextmanager
def watched(
    network: nn.Module,
    names: Sequence[str],
    see: Callable[[str, Tensor], object],
    inputs: bool = False,
) -> Iterator[None]:
    """Inside, `see` gets the name of a module and what flows out of it (or into it), whenever it
    runs: with `replaced` the only place that hooks a network.

    What `see` wants to keep it has to copy: the next module may write into it.
    """

    def after(name: str, _: nn.Module, given: tuple[Any, ...], out: Any) -> None:
        if isinstance(out, Tensor):
            see(name, out)

    def before(name: str, _: nn.Module, given: tuple[Any, ...]) -> None:
        if given and isinstance(given[0], Tensor):  # before it runs, which may write into it
            see(name, given[0])

    hooks = []
    for name in names:
        module = network.get_submodule(name)
        if inputs:
            hooks.append(module.register_forward_pre_hook(partial(before, name)))
        else:
            hooks.append(module.register_forward_hook(partial(after, name)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def replaced(network: nn.Module, name: str, other: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside, a module puts out what `other` makes of what flows into it."""
    module = network.get_submodule(name)
    hook = module.register_forward_hook(lambda _, given, out: other(given[0]))
    try:
        yield
    finally:
        hook.remove()


def as_maps(tensor: Tensor, sides: tuple[int, int], has_tokens: bool = False) -> Tensor:
    """What flows between blocks, as maps (N, C, H, W).

    Tokens in a line (N, L, C) become a map in the proportions of the images, without the class and
    other tokens that stand before them; tokens in a plane (N, H, W, C), as Swin has them, are
    turned.

    Args:
        tensor: (N, C, H, W), (N, H, W, C) or (N, L, C).
        sides: of the images, in pixels.
        has_tokens: whether the channels are last where proportions do not tell, as where a map is
            about as wide as it has channels (`works_on_tokens`).

    Raises:
        ValueError: it is none of them.
    """
    if tensor.ndim == 4:
        is_turned = _has_channels_last(tensor, sides, has_tokens)
        return tensor.permute(0, 3, 1, 2) if is_turned else tensor
    if tensor.ndim != 3:
        raise ValueError(f"an output of {tensor.ndim} dimensions is no map")
    height, width = _plane(tensor.shape[1], sides)
    tokens = tensor[:, tensor.shape[1] - height * width :]
    return tokens.transpose(1, 2).reshape(len(tokens), -1, height, width)


def _has_channels_last(tensor: Tensor, sides: tuple[int, int], otherwise: bool) -> bool:
    """Whether the middle two dimensions are in the proportions of the images, and the last two not;
    `otherwise` where both are, or neither."""

    def fits(height: int, width: int) -> bool:
        strides = sides[0] / height, sides[1] / width
        return abs(strides[0] - strides[1]) < 1.0 + 1e-9 or abs(strides[0] / strides[1] - 1) < 0.35

    _, first, second, third = tensor.shape
    last, usual = fits(first, second), fits(second, third)
    return otherwise if last == usual else last


def works_on_tokens(network: nn.Module, name: str) -> bool:
    """Whether the layers of a module have channels last: by the first of them that mixes channels,
    a linear one or a convolution; of a module without any (an activation function), by the last
    one before it. A Swin's block begins with linear layers, a ConvNeXt's with a convolution,
    whatever follows."""
    layer: nn.Module | None = None
    is_inside = False
    for other, module in network.named_modules():  # what is inside a module follows it
        if f"{other}.".startswith(f"{name}."):
            is_inside = True
        elif is_inside:
            break
        if isinstance(module, nn.Linear | nn.Conv2d):
            layer = module
            if is_inside:
                break
    return isinstance(layer, nn.Linear)


def maps_of(
    network: nn.Module, found: Mapping[str, Tensor], sides: tuple[int, int]
) -> dict[str, Tensor]:
    """What flows out of a network's modules, by name, as maps (N, C, H, W); see `as_maps`."""
    return {
        name: as_maps(tensor, sides, works_on_tokens(network, name))
        for name, tensor in found.items()
    }


def _plane(tokens: int, sides: tuple[int, int]) -> tuple[int, int]:
    """Height and width of so many tokens of an image, some of which may stand before the map."""
    ratio = sides[0] / sides[1]
    for count in range(tokens, 0, -1):
        height = round((count * ratio) ** 0.5)
        if height and count % height == 0 and abs(height / (count // height) / ratio - 1) < 1e-6:
            return height, count // height
    raise ValueError(f"{tokens} tokens are no map")


def maps_after_blocks(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The maps (N, C, H, W) that each block puts out, by its name, without gradients."""
    sides = int(images.shape[2]), int(images.shape[3])
    with torch.no_grad():
        found = outputs(network, images, anatomy(network).blocks)
    return maps_of(network, found, sides)


def batches_of_maps(
    network: nn.Module, images: Tensor, size: int = 100
) -> Iterator[dict[str, Tensor]]:
    """`maps_after_blocks` a few images at a time, for what is read of maps and not kept."""
    for part in torch.split(images, size):
        yield maps_after_blocks(network, part)
