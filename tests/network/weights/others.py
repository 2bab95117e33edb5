"""The networks of others that nextify's families are to equal, by family and naming."""

import timm
import torch
import torchvision
from timm.models.convnext import ConvNeXt as TimmConvNeXt
from torch import nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt
from torchvision.models.resnet import Bottleneck, ResNet

from network.references import perturb
from network.weights.official import OfficialConvNeXt, OfficialIsotropic
from nextify.designs import FAMILIES, Design

CLASSES = 1000
_TORCHVISION = {"convnext-tiny", "convnext-small", "convnext-base", "convnext-large"} | {
    f"resnet-{depth}" for depth in (18, 34, 50, 101, 152)
}

# Written from its design, for want of a name in that package.
NAMELESS_IN_TIMM = {"convnext-slim"}
# Networks that a package does not have: three stages, and isotropic ones.
LACKING = {
    "timm": {"resnet-small", "convnext-mini", *(f for f in FAMILIES if "-iso-" in f)},
    "torchvision": {"resnet-small", *(f for f in FAMILIES if "-iso-" in f or "v2" in f)},
    "official": {"convnext-mini", *(f for f in FAMILIES if "resnet" in f)},
}
PAIRS = [
    (family, naming)
    for family in FAMILIES
    for naming in ("official", "timm", "torchvision")
    if family not in LACKING[naming]
]


def _make(family: str, naming: str, classes: int) -> nn.Module:
    design = FAMILIES[family]
    match naming:
        case "official" if "-iso-" in family:
            return OfficialIsotropic(design.depths[0], design.widths[0], classes)
        case "official":
            return OfficialConvNeXt(design.depths, design.widths, classes, "v2" in family)
        case "timm" if family in NAMELESS_IN_TIMM:
            return TimmConvNeXt(depths=design.depths, dims=design.widths, num_classes=classes)
        case "timm":
            name = family.replace("resnet-", "resnet").replace("-", "_")
            return timm.create_model(name, num_classes=classes)
        case _:
            return _torchvision(family, design, classes)


def _torchvision(family: str, design: Design, classes: int) -> nn.Module:
    if family in _TORCHVISION:
        name = family.replace("resnet-", "resnet").replace("-", "_")
        return torchvision.models.get_model(name, num_classes=classes)
    if family == "resnet-200":
        return ResNet(Bottleneck, list(design.depths), num_classes=classes)
    following = (*design.widths[1:], None)
    settings = [
        CNBlockConfig(width, after, depth)
        for width, after, depth in zip(design.widths, following, design.depths, strict=True)
    ]
    return TorchvisionConvNeXt(settings, num_classes=classes)


def on_meta(family: str, naming: str, classes: int = CLASSES) -> nn.Module:
    """Names and shapes only."""
    with torch.device("meta"):
        return _make(family, naming, classes).eval()


def perturbed(family: str, naming: str, classes: int = CLASSES, seed: int = 0) -> nn.Module:
    """With random weights at which every layer matters, statistics too."""
    network = on_meta(family, naming, classes).to_empty(device="cpu")
    for name, entry in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            entry.fill_(17)
    perturb(network, seed)
    return network
