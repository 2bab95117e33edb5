"""The networks of a comparison, in words: what each is, and how it was trained."""

from nextify.designs import AnyDesign, Design, Swin, Vit

_BLOCKS = {"narrow": "bottleneck blocks", "inverted": "inverted bottlenecks"}
_STEMS = {"conv_pool": "a convolution and pooling as stem", "patchify": "patches as stem"}


def in_words(design: AnyDesign) -> str:
    """What kind of network a design is, how deep, how wide, and what it does to the image first.

    >>> in_words(Vit())
    'ViT: 12 blocks of width 768, 12 heads; patches of 16 × 16'
    """
    match design:
        case Vit():
            return (
                f"ViT: {design.depth} blocks of width {design.width}, {design.heads} heads; "
                f"patches of {_square(design.patch_size)}"
            )
        case Swin():
            return (
                f"Swin: {_dashed(design.depths)} blocks of widths {_dashed(design.widths)}, "
                f"{_dashed(design.heads)} heads in windows of {_square(design.window)}; patches of "
                f"{_square(design.patch_size)}"
            )
        case Design():
            return _convolutional(design)


def _convolutional(design: Design) -> str:
    blocks = "basic blocks" if design.block == "basic" else _BLOCKS[design.bottleneck]
    return (
        f"Convolutional: {_dashed(design.depths)} {blocks} of widths {_dashed(design.widths)}, "
        f"{_square(design.kernel_size)} {design.spatial}; {_STEMS[design.stem]}, stride "
        f"{design.stem_stride}"
    )


def _square(side: int) -> str:
    return f"{side} × {side}"


def _dashed(values: tuple[int, ...]) -> str:
    return "–".join(map(str, values))
