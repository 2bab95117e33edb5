"""Others' networks of the same name, with the same weights."""

from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch
from torch import nn

from nextify.designs import FAMILIES, AnyDesign
from nextify.errors import InputError
from nextify.measuring.conditions import Conditions
from nextify.network import Network, build
from nextify.network.modules import ResponseNorm2d, Scale
from nextify.network.weights.save import foreign_entries

Library = Literal["timm", "torchvision"]
LIBRARIES: tuple[Library, ...] = ("timm", "torchvision")

_ISOTROPIC = {f"convnext-iso-{size}" for size in ("small", "base", "large")}
_NOBODYS = {"resnet-small", "convnext-mini", "convnext-slim"} | _ISOTROPIC
_IN_TORCHVISION = {f"resnet-{depth}" for depth in (18, 34, 50, 101, 152)} | {
    f"convnext-{size}" for size in ("tiny", "small", "base", "large")
}


def _names(family: str) -> dict[Library, str]:
    theirs = family.replace("-", "" if family.startswith("resnet") else "_")
    return dict.fromkeys(LIBRARIES if family in _IN_TORCHVISION else LIBRARIES[:1], theirs)


REFERENCES = {family: _names(family) for family in FAMILIES if family not in _NOBODYS}
"""What others call a family. The families that are not here nobody else has by a name."""

AGREES = 1e-5
"""Largest relative difference of outputs of the same network, float32."""


def installed(library: str) -> str | None:
    """The version of a library that is there, or None."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def their_name(design: AnyDesign, library: Library) -> str | None:
    """What a library calls the design; None if it has none."""
    ours = next((name for name, known in FAMILIES.items() if known == design), None)
    return REFERENCES.get(ours or "", {}).get(library)


def build_theirs(library: Library, name: str, conditions: Conditions) -> nn.Module:
    """A library's network by its own name, on the device and in the memory format."""
    network: nn.Module
    match library:
        case "timm":
            import timm

            network = timm.create_model(name, num_classes=conditions.classes)
        case "torchvision":
            import torchvision

            # By default these drop blocks at random in training, which timm's and ours do not.
            quiet = {"stochastic_depth_prob": 0.0} if name.startswith("convnext") else {}
            network = torchvision.models.get_model(name, num_classes=conditions.classes, **quiet)
    return network.to(conditions.device, memory_format=conditions.format)  # type: ignore[call-overload, no-any-return]


def build_ours(design: AnyDesign, conditions: Conditions) -> Network:
    """Our network, with weights at which every layer matters to the output.

    Layer scale begins at 1e-6 and response norm at 0: an error in a block would not be seen.
    """
    network = build(design, conditions.classes, image_size=conditions.image_size)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, Scale | ResponseNorm2d):
                module.weight.uniform_(0.1, 0.3, generator=draw)
    return network.to(conditions.device)


def same_weights(ours: Network, theirs: nn.Module, library: Library) -> None:
    """Give their network our weights, every entry of both."""
    theirs.load_state_dict(foreign_entries(ours, library), strict=True)


@torch.inference_mode()
def difference(ours: nn.Module, theirs: nn.Module, conditions: Conditions) -> float:
    """The relative difference of two networks' outputs to one random image, in float32.

    Raises:
        InputError: if they are not the same network.
    """
    draw = torch.Generator().manual_seed(1)
    image = torch.randn(1, 3, *conditions.sides, generator=draw).to(conditions.device)
    mine, other = ours.eval()(image).double(), theirs.eval()(image).double()
    found = float((mine - other).norm() / other.norm())
    limit = AGREES if torch.device(conditions.device).type == "cpu" else 1e-3  # TF32
    if not found <= limit:
        raise InputError(
            f"the network beside gives other outputs for the same weights (relative difference "
            f"{found:.1e}, at most {limit:.0e}): it is not the same network; measure beside none"
        )
    return found
