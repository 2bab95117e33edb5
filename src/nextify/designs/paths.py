"""The three paths: ResNet-50 to ConvNeXt-T, ResNet-200 to ConvNeXt-B, and a small one.

The paper's numbers (arXiv 2201.03545, Tables 10 and 11) stand beside the choices they belong to.
"""

from nextify.designs.design import Design
from nextify.designs.path import Choice, Paper, Path
from nextify.errors import unknown

_SHIFTED_NORM = (
    "the paper prints 4.46; replacing the norm adds no multiply-accumulate, and 4.456 is the "
    "count of the next row: the paper's two last cells look shifted (Table 11's agree)"
)
_SHIFTED_DOWNSAMPLING = (
    "the paper prints 4.49; the count is 4.456, which the paper prints one row above: its two "
    "last cells look shifted (Table 11's agree)"
)

_LAYER_SCALE = Choice("layer scale", {"layer_scale": 1e-6})

RESNET50 = Path(
    name="resnet50",
    start_name="ResNet-50",
    start=Design(),
    start_paper=Paper(76.13, None, 4.09),
    recipe_paper=Paper(78.82, 0.07, 4.09),
    choices=(
        Choice("stage ratio", {"depths": (3, 3, 9, 3)}, Paper(79.36, 0.07, 4.53)),
        Choice("patchify stem", {"stem": "patchify"}, Paper(79.51, 0.18, 4.42)),
        Choice("depthwise conv", {"spatial": "depthwise"}, Paper(78.28, 0.08, 2.35)),
        Choice("increase width", {"widths": (96, 192, 384, 768)}, Paper(80.50, 0.02, 5.27)),
        Choice("inverted bottleneck", {"bottleneck": "inverted"}, Paper(80.64, 0.03, 4.64)),
        Choice("spatial conv first", {"spatial_position": "first"}, Paper(79.92, 0.08, 4.07)),
        Choice("kernel size 7", {"kernel_size": 7}, Paper(80.57, 0.14, 4.15)),
        Choice("ReLU to GELU", {"activation": "gelu"}, Paper(80.62, 0.14, 4.15)),
        Choice("fewer activations", {"activations": "one"}, Paper(81.27, 0.06, 4.15)),
        Choice("fewer norms", {"norms": "one"}, Paper(81.41, 0.09, 4.15)),
        Choice("BN to LN", {"norm": "layer"}, Paper(81.47, 0.09, 4.46, _SHIFTED_NORM)),
        Choice(
            "separate downsampling",
            {"downsampling": "separate"},
            Paper(81.97, 0.06, 4.49, _SHIFTED_DOWNSAMPLING),
        ),
        _LAYER_SCALE,
    ),
    variants=(
        ("kernel size 7", Choice("kernel size 5", {"kernel_size": 5}, Paper(80.35, 0.08, 4.10))),
        ("kernel size 7", Choice("kernel size 9", {"kernel_size": 9}, Paper(80.57, 0.06, 4.21))),
        ("kernel size 7", Choice("kernel size 11", {"kernel_size": 11}, Paper(80.47, 0.11, 4.29))),
    ),
)

RESNET200 = Path(
    name="resnet200",
    start_name="ResNet-200",
    start=Design(depths=(3, 24, 36, 3)),
    start_paper=Paper(78.20, None, 15.01),
    recipe_paper=Paper(81.14, None, 15.01),
    choices=(
        Choice(
            "stage ratio and width",
            {"depths": (3, 3, 27, 3), "widths": (84, 168, 336, 672)},
            Paper(81.33, None, 14.52),
        ),
        Choice("patchify stem", {"stem": "patchify"}, Paper(81.59, None, 14.38)),
        Choice("depthwise conv", {"spatial": "depthwise"}, Paper(80.54, None, 7.23)),
        Choice("increase width", {"widths": (128, 256, 512, 1024)}, Paper(81.85, None, 16.76)),
        Choice("inverted bottleneck", {"bottleneck": "inverted"}, Paper(82.64, None, 15.68)),
        Choice("spatial conv first", {"spatial_position": "first"}, Paper(82.04, None, 14.63)),
        Choice("kernel size 7", {"kernel_size": 7}, Paper(82.30, None, 14.81)),
        Choice("ReLU to GELU", {"activation": "gelu"}, Paper(82.19, None, 14.81)),
        Choice("fewer activations", {"activations": "one"}, Paper(82.71, None, 14.81)),
        Choice("fewer norms", {"norms": "one"}, Paper(83.17, None, 14.81)),
        Choice("BN to LN", {"norm": "layer"}, Paper(83.35, None, 14.81)),
        Choice("separate downsampling", {"downsampling": "separate"}, Paper(83.60, None, 15.35)),
        _LAYER_SCALE,
    ),
    variants=(
        ("kernel size 7", Choice("kernel size 5", {"kernel_size": 5}, Paper(82.32, None, 14.70))),
        ("kernel size 7", Choice("kernel size 9", {"kernel_size": 9}, Paper(82.27, None, 14.95))),
        ("kernel size 7", Choice("kernel size 11", {"kernel_size": 11}, Paper(82.18, None, 15.13))),
    ),
)

# The choices of ResNet-50's path, at its own depths and widths.
_SMALL_SIZES = {"stage ratio": {"depths": (1, 3, 1)}, "increase width": {"widths": (24, 48, 96)}}

SMALL = Path(
    name="small",
    start_name="small ResNet",
    start=Design(depths=(1, 2, 1), widths=(16, 32, 64)),
    choices=tuple(
        Choice(choice.name, _SMALL_SIZES.get(choice.name, choice.changes))
        for choice in RESNET50.choices
    ),
    recipes=("classic-small", "modern-small"),
    image_size=28,
    classes=10,
)

PATHS: dict[str, Path] = {path.name: path for path in (RESNET50, RESNET200, SMALL)}


def path(name: str) -> Path:
    """A path by name.

    >>> [step.name for step in path("resnet50")][:3]
    ['ResNet-50', 'training recipe', 'stage ratio']
    """
    key = name.lower().replace("-", "").replace("_", "")
    if key not in PATHS:
        raise unknown("path", name, PATHS)
    return PATHS[key]
