"""From specs to modules: one table."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torchvision.models.swin_transformer import PatchMerging
from torchvision.ops import Permute

from nextify.blueprint import draw, require_image_size, specs
from nextify.designs import AnyDesign, Design, known_design, require_convolutional
from nextify.network import modules, stack, transformers
from nextify.network.dense import SpatialConv2d
from nextify.network.depthwise import DepthwiseConv2d
from nextify.network.initialise import WeightInit, initialise
from nextify.words import native, whole_number


def build(
    design: AnyDesign | str,
    classes: int = 1000,
    *,
    image_size: int | tuple[int, int] = 224,
    weight_init: WeightInit | None = None,
    stochastic_depth: float = 0.0,
    seed: int = 0,
    device: torch.device | str | None = None,
    copies: int = 1,
) -> modules.Network:
    """A network of a design, initialised.

    In surroundings that torch's modules heed, it is what they would be: on the default device
    (`with torch.device("meta")`) and of the default type, with the same weights on all.

    >>> build("resnet50", classes=10)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])

    Args:
        design: a design, or its name.
        classes: outputs of the classifier.
        image_size: that a ViT is built for, in pixels; other networks take all sizes.
        weight_init: how weights are drawn; by default as the design's own paper prescribes: He
            normal for networks with batch norm, truncated normal for those with layer norm.
        stochastic_depth: drop probability of the last block, linearly less before.
        seed: of the initial weights: the same seed gives the same weights.
        device: where the network lives, by default torch's default device; `"meta"` builds it
            without memory or weights.
        copies: of more than one, the networks with the seeds from `seed` on as one `Stack`.

    Raises:
        InputError: the patches of a ViT do not divide its images, there are no classes, or copies
            of a transformer are wanted.
    """
    design, seed = known_design(design), native(seed)
    classes, copies = whole_number("classes", classes), whole_number("copies", copies)
    if copies != 1:
        require_convolutional(design, "training many networks as one (copies)")
        each = [
            build(design, classes, image_size=image_size, weight_init=weight_init,
                  seed=seed + at, device=device)
            for at in range(copies)
        ]  # fmt: skip
        return stack_of(each, stochastic_depth)
    if not isinstance(design, Design):
        require_image_size(design, image_size)
    where = torch.device(device) if device is not None else torch.get_default_device()
    network = assemble(draw(design, classes, image_size), stochastic_depth)
    if where.type != "meta":
        has_batch_norm = isinstance(design, Design) and design.norm == "batch"
        by_design: WeightInit = "he_normal" if has_batch_norm else "trunc_normal"
        with torch.device("cpu"), torch.inference_mode(False):
            network = network.to_empty(device="cpu")
            initialise(network, weight_init or by_design, torch.Generator().manual_seed(seed))
            network = network.to(memory_format=torch.channels_last).to(where)
    return network.to(torch.get_default_dtype())


def stack_of(networks: Sequence[modules.Network], stochastic_depth: float = 0.0) -> stack.Stack:
    """The stack of networks of one design, with their weights and where they are."""
    network = assemble(networks[0].blueprint, stochastic_depth, len(networks))
    assert isinstance(network, stack.Stack)
    state = stack.stacked([one.state_dict() for one in networks])
    network.load_state_dict(state, assign=True)
    return network.to(memory_format=torch.channels_last)


def copy_of(network: stack.Stack, at: int) -> modules.Network:
    """The network that is one copy of a stack, with its weights, in evaluation mode."""
    one = assemble(network.blueprint)
    state = stack.unstacked(network.state_dict(), network.copies)[at]
    one.load_state_dict({name: entry.clone() for name, entry in state.items()}, assign=True)
    return one.to(memory_format=torch.channels_last).eval()


def assemble(
    blueprint: specs.Blueprint, stochastic_depth: float = 0.0, copies: int | None = None
) -> modules.Network:
    """The modules of a blueprint on the meta device: shapes, but no memory and no weights, which
    would be of type float32. With a number of `copies` these are those of a `Stack`."""
    with torch.device("meta"), torch.inference_mode(False):
        return _modules(blueprint, stochastic_depth, copies).to(torch.float32)


def _modules(
    blueprint: specs.Blueprint, stochastic_depth: float, copies: int | None
) -> modules.Network:
    count = sum(len(stage.blocks) for stage in blueprint.stages)
    rates = iter([stochastic_depth * at / max(count - 1, 1) for at in range(count)])
    stages = []
    for stage in blueprint.stages:
        blocks = nn.Sequential(*(_block(block, next(rates), copies) for block in stage.blocks))
        downsample = _sequence(stage.downsample, copies)
        stages.append(nn.Sequential(OrderedDict(downsample=downsample, blocks=blocks)))
    stem, head = (_sequence(part, copies) for part in (blueprint.stem, blueprint.head))
    if copies is None:
        return modules.Network(blueprint, stem, stages, head)
    return stack.Stack(blueprint, stem, stages, head, copies)


def _sequence(layers: specs.Layers, copies: int | None) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, _layer(one, copies)) for name, one in layers))


def _layer(layer: specs.Layer, copies: int | None) -> nn.Module:
    return _MODULES[type(layer)](layer) if copies is None else _stacked_layer(layer, copies)


def _stacked_layer(layer: specs.Layer, copies: int) -> nn.Module:
    """Of a stack: what works on each channel by itself is the same with more of them."""
    match layer:
        case specs.Conv(groups=1):
            shape = layer.kernel, layer.stride, layer.padding
            sides = copies * layer.inputs, copies * layer.outputs
            return stack.StackedConv2d(*sides, *shape, groups=copies, bias=layer.bias)
        case specs.Norm(kind="layer"):
            return stack.StackedNorm(copies, layer.channels, eps=1e-6)
        case specs.ResponseNorm():
            return stack.StackedResponseNorm2d(copies, layer.channels)
        case specs.Linear():
            return stack.StackedClassifier(copies, layer.inputs, layer.outputs)
        case specs.Conv():
            names: tuple[str, ...] = ("inputs", "outputs", "groups")
        case specs.Norm() | specs.LayerScale():
            names = ("channels",)
        case specs.GlobalPool():
            return stack.StackedPool()
        case specs.Activation() | specs.MaxPool():
            names = ()
        case _:
            raise AssertionError(layer)  # of transformers, which are not stacked
    return _layer(replace(layer, **{name: copies * getattr(layer, name) for name in names}), None)


def _block(block: specs.AnyBlock, drop_probability: float, copies: int | None) -> nn.Module:
    match block:
        case specs.Block():
            branch, shortcut, after = (
                _sequence(part, copies) for part in (block.branch, block.shortcut, block.after)
            )
            if copies is not None:
                return stack.StackedBlock(branch, shortcut, after, drop_probability, copies)
            return modules.ResidualBlock(branch, shortcut, after, drop_probability)
        case specs.EncoderBlock():
            return transformers.VitBlock(block, drop_probability)
        case specs.WindowBlock():
            return transformers.WindowBlock(block, drop_probability)


def _conv_kind(conv: specs.Conv) -> type[nn.Conv2d]:
    if conv.groups > 1:
        return DepthwiseConv2d
    if conv.padding > 0:
        keeps_size = conv.stride == 1 and conv.kernel == 2 * conv.padding + 1
        return SpatialConv2d if keeps_size and conv.kernel >= 5 else nn.Conv2d
    if conv.kernel == 1:
        return modules.PointwiseConv2d
    # A stem's patches have too few values for the product to pay.
    return modules.PatchConv2d if conv.kernel == conv.stride and conv.inputs > 3 else nn.Conv2d


def _conv(conv: specs.Conv) -> nn.Conv2d:
    shape = conv.inputs, conv.outputs, conv.kernel, conv.stride, conv.padding
    return _conv_kind(conv)(*shape, groups=conv.groups, bias=conv.bias)


def _norm(norm: specs.Norm) -> nn.Module:
    """With the small number under the root that ResNet has, and ConvNeXt."""
    if norm.kind == "batch":
        return nn.BatchNorm2d(norm.channels, eps=1e-5)
    return modules.ChannelNorm(norm.channels, eps=1e-6)


# Of a kind of layer, one kind of module.
_MODULES: dict[type, Callable[[Any], nn.Module]] = {
    specs.Conv: _conv,
    specs.Norm: _norm,
    specs.Activation: lambda act: nn.ReLU(inplace=True) if act.kind == "relu" else modules.Gelu(),
    specs.MaxPool: lambda layer: nn.MaxPool2d(layer.kernel, layer.stride, layer.padding),
    specs.LayerScale: lambda layer: modules.Scale(layer.channels, layer.initial),
    specs.ResponseNorm: lambda layer: modules.ResponseNorm2d(layer.channels),
    specs.GlobalPool: lambda _: nn.AdaptiveAvgPool2d(1),
    specs.Linear: lambda layer: modules.Classifier(layer.inputs, layer.outputs),
    specs.TokensLast: lambda _: Permute([0, 2, 3, 1]),
    specs.Embedding: lambda layer: transformers.TokenEmbedding(layer.channels, layer.tokens),
    specs.TokenNorm: lambda layer: nn.LayerNorm(layer.channels, layer.eps),
    specs.PatchMerging: lambda layer: PatchMerging(layer.channels, transformers.SwinNorm),
    specs.ClassToken: lambda _: transformers.FirstToken(),
    specs.TokenPool: lambda _: transformers.TokenMean(),
}
