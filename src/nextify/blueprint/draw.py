"""`draw`: what the choices of a design mean. The only reader of a design's fields, with
`nextify.blueprint.transformers` for those of transformers."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from nextify.blueprint import specs
from nextify.blueprint.transformers import IMAGE_CHANNELS, draw_swin, draw_vit
from nextify.designs import AnyDesign, Design, Swin, Vit

# What the layers within a block do not depend on, but through the widths that they are told.
_NOT_OF_BLOCKS: Any = {"stem": "conv_pool", "stem_stride": 4, "downsampling": "in_block"}


def draw(
    design: AnyDesign, classes: int = 1000, image_size: int | tuple[int, int] = 224
) -> specs.Blueprint:
    """The layers of a design. Those of a ViT depend on the size of its images in pixels, since it
    has a position for each patch; all others do not.

    In a convolutional design every bottleneck block is three convolutions: one spatial and two
    pointwise (1 x 1). The first pointwise one goes to the inner width of the block, the second to
    its outer width. Choices are *positions*, so that every combination of them is a network:

    - **widths**: in a narrow bottleneck the inner width is `widths[stage]` and the residual
      stream has `ratio` times that; in an inverted one it is the other way round. The stem always
      puts out `widths[0]`.
    - **spatial convolution**: keeps the number of channels that it finds. In the middle it stands
      between the pointwise ones and works on the inner width; first, on the width of the block's
      input.
    - **norms**: every - after each convolution of the block, of its shortcut and of the stem; one
      - only after the block's spatial convolution.
    - **activations**: every - after each norm position of the block but the last, after the
      addition, and in the stem; one - only before the block's last pointwise convolution, and
      none in the stem.
    - **downsampling**: in the block - the first spatial convolution of a stage strides by 2;
      separate - a 2 x 2 convolution with stride 2 between stages. The norms after the stem,
      before each downsampling convolution and before the classifier belong to this choice (a
      stem that has its norm already gets no second one; nor does one that is followed by a single
      stage, as in the isotropic ConvNeXt).
    - **shortcut**: a 1 x 1 convolution where a block's input and output differ in size or width,
      else the identity.
    - **biases**: a convolution has one unless a batch norm follows it.
    - **stem**: convolution and pooling - 7 x 7 with stride 2, then, for a stem stride of 4,
      3 x 3 max pooling with stride 2; for a stem stride of 1 a 3 x 3 convolution, as ResNets for
      small images have; for one of 16, stride 8 and pooling. Patchify - kernel and stride both the
      stem stride.
    - **response norm**: after the activation before the block's last pointwise convolution (after
      that place, if every norm is followed by its activation).
    - **basic block**: two spatial convolutions, the first to the stage's width, each with its norm.

    >>> [name for name, _ in draw(Design()).stages[0].blocks[0].branch][:3]
    ['pointwise1', 'pointwise1_norm', 'pointwise1_act']
    """
    match design:
        case Design():
            return draw_sized(design, design.depths, design.widths, classes)
        case Vit():
            return draw_vit(design, classes, specs.sides_of(image_size))
        case Swin():
            return draw_swin(design, classes)


def draw_sized(
    design: Design, depths: tuple[int, ...], widths: tuple[int, ...], classes: int
) -> specs.Blueprint:
    """`draw` of a design with other depths and widths, as many, which are not checked: they may be
    larger than a network's can be (`nextify.costs.form` reads polynomials off such a blueprint)."""
    # A design that stands for all with the same blocks, so that they share them.
    style = replace(design, depths=(1,), widths=(1,), **_NOT_OF_BLOCKS)
    inner, outer = _widths(design, widths)
    stages: list[specs.Stage] = []
    channels = widths[0]
    for at, depth in enumerate(depths):
        separate = at > 0 and design.downsampling == "separate"
        stride = 2 if at > 0 and not separate else 1
        downsample = _downsample(design, channels, outer[at]) if separate else ()
        entry = outer[at] if separate else channels
        first = _block(style, entry, inner[at], outer[at], stride)
        rest = _block(style, outer[at], inner[at], outer[at], 1)
        stages.append(specs.Stage(downsample, (first, *(rest,) * (depth - 1))))
        channels = outer[at]
    return specs.Blueprint(
        _stem(design, widths[0]), tuple(stages), _head(design, channels, classes)
    )


def _widths(design: Design, widths: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The inner and the outer width of the blocks of each stage, in channels."""
    if design.block == "basic":
        return widths, widths
    wide = tuple(width * design.ratio for width in widths)
    return (widths, wide) if design.bottleneck == "narrow" else (wide, widths)


def _conv(design: Design, inputs: int, outputs: int, *, normed: bool, **shape: int) -> specs.Conv:
    return specs.Conv(inputs, outputs, bias=not (normed and design.norm == "batch"), **shape)


def _stem(design: Design, width: int) -> specs.Layers:
    resized_later = design.downsampling == "separate" and len(design.depths) > 1
    normed = design.norms == "every" or resized_later
    stride = design.stem_stride
    shape: dict[str, int] = {"kernel": stride, "stride": stride}
    if design.stem == "conv_pool" and stride == 1:
        shape = {"kernel": 3, "padding": 1}
    elif design.stem == "conv_pool":
        shape = {"kernel": 7, "stride": max(2, stride // 2), "padding": 3}
    conv = _conv(design, IMAGE_CHANNELS, width, normed=normed, **shape)
    layers: list[tuple[str, specs.Layer]] = [("conv", conv)]
    if normed:
        layers.append(("norm", specs.Norm(design.norm, width)))
    if design.activations == "every":
        layers.append(("act", specs.Activation(design.activation)))
    if design.stem == "conv_pool" and stride >= 4:
        layers.append(("pool", specs.MaxPool()))
    return tuple(layers)


def _downsample(design: Design, inputs: int, outputs: int) -> specs.Layers:
    conv = specs.Conv(inputs, outputs, kernel=2, stride=2)
    return (("norm", specs.Norm(design.norm, inputs)), ("conv", conv))


@lru_cache(maxsize=16384)
def _block(design: Design, inputs: int, inner: int, outer: int, stride: int) -> specs.Block:
    convs = _positions(design, inputs, inner, outer, stride)
    branch: list[tuple[str, specs.Layer]] = []
    for at, (name, conv) in enumerate(convs):
        last = at == len(convs) - 1
        if design.activations == "one" and last:
            branch.append(("act", specs.Activation(design.activation)))
        if design.response_norm == "global" and last:
            branch.append(("response_norm", specs.ResponseNorm(conv.inputs)))
        branch.append((name, conv))
        if design.norms == "every" or name == "spatial":
            branch.append((f"{name}_norm", specs.Norm(design.norm, conv.outputs)))
        if design.activations == "every" and not last:
            branch.append((f"{name}_act", specs.Activation(design.activation)))
    if design.layer_scale is not None:
        branch.append(("scale", specs.LayerScale(outer, design.layer_scale)))
    after = (("act", specs.Activation(design.activation)),) if design.activations == "every" else ()
    return specs.Block(tuple(branch), _shortcut(design, inputs, outer, stride), after)


def _positions(
    design: Design, inputs: int, inner: int, outer: int, stride: int
) -> list[tuple[str, specs.Conv]]:
    """The convolutions of a block, in order."""
    normed = design.norms == "every"
    shape = {"kernel": design.kernel_size, "padding": design.kernel_size // 2}
    if design.block == "basic":
        return [
            ("spatial1", _conv(design, inputs, inner, normed=normed, stride=stride, **shape)),
            ("spatial2", _conv(design, inner, outer, normed=normed, **shape)),
        ]
    where = inputs if design.spatial_position == "first" else inner
    groups = where if design.spatial == "depthwise" else 1
    spatial = _conv(design, where, where, normed=True, stride=stride, groups=groups, **shape)
    convs = [
        ("pointwise1", _conv(design, inputs, inner, normed=normed)),
        ("pointwise2", _conv(design, inner, outer, normed=normed)),
    ]
    convs.insert(0 if design.spatial_position == "first" else 1, ("spatial", spatial))
    return convs


def _shortcut(design: Design, inputs: int, outer: int, stride: int) -> specs.Layers:
    if inputs == outer and stride == 1:
        return ()
    normed = design.norms == "every"
    conv = ("conv", _conv(design, inputs, outer, normed=normed, stride=stride))
    return (conv, ("norm", specs.Norm(design.norm, outer))) if normed else (conv,)


def _head(design: Design, channels: int, classes: int) -> specs.Layers:
    is_normed = design.downsampling == "separate"
    norm = (("norm", specs.Norm(design.norm, channels)),) if is_normed else ()
    return (("pool", specs.GlobalPool()), *norm, ("classifier", specs.Linear(channels, classes)))
