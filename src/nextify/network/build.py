"""From specs to modules: one table."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torchvision.models.swin_transformer import PatchMerging
from torchvision.ops import Permute

from nextify.blueprint import draw, require_image_size, specs
from nextify.designs import AnyDesign, Design
from nextify.errors import InputError
from nextify.network import modules, transformers
from nextify.network.dense import SpatialConv2d
from nextify.network.depthwise import DepthwiseConv2d
from nextify.network.initialise import WeightInit, initialise


def build(
    design: AnyDesign,
    classes: int = 1000,
    *,
    image_size: int | tuple[int, int] = 224,
    weight_init: WeightInit | None = None,
    stochastic_depth: float = 0.0,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> modules.Network:
    """A network of a design, initialised.

    In surroundings that torch's modules heed, it is what they would be: on the default device
    (`with torch.device("meta")`) and of the default type, with the same weights on all.

    >>> build(Design(), classes=10)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 10])

    Args:
        classes: outputs of the classifier.
        image_size: that a ViT is built for, in pixels; other networks take all sizes.
        weight_init: how weights are drawn; by default as the design's own paper prescribes: He
            normal for networks with batch norm, truncated normal for those with layer norm.
        stochastic_depth: drop probability of the last block, linearly less before.
        seed: of the initial weights: the same seed gives the same weights.
        device: where the network lives, by default torch's default device; `"meta"` builds it
            without memory or weights.

    Raises:
        InputError: the patches of a ViT do not divide its images, or there are no classes.
    """
    if classes < 1:
        raise InputError(f"classes is {classes!r}; a network has at least one")
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


def assemble(blueprint: specs.Blueprint, stochastic_depth: float = 0.0) -> modules.Network:
    """The modules of a blueprint on the meta device: shapes, but no memory and no weights, which
    would be of type float32."""
    with torch.device("meta"), torch.inference_mode(False):
        return _modules(blueprint, stochastic_depth).to(torch.float32)


def _modules(blueprint: specs.Blueprint, stochastic_depth: float) -> modules.Network:
    count = sum(len(stage.blocks) for stage in blueprint.stages)
    rates = iter([stochastic_depth * at / max(count - 1, 1) for at in range(count)])
    stages = []
    for stage in blueprint.stages:
        blocks = nn.Sequential(*(_block(block, next(rates)) for block in stage.blocks))
        downsample = _sequence(stage.downsample)
        stages.append(nn.Sequential(OrderedDict(downsample=downsample, blocks=blocks)))
    stem, head = _sequence(blueprint.stem), _sequence(blueprint.head)
    return modules.Network(blueprint, stem, stages, head)


def _sequence(layers: specs.Layers) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, _MODULES[type(one)](one)) for name, one in layers))


def _block(block: specs.AnyBlock, drop_probability: float) -> nn.Module:
    match block:
        case specs.Block():
            branch, shortcut, after = map(_sequence, (block.branch, block.shortcut, block.after))
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
