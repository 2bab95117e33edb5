"""Weights carried between nextify's networks and torchvision's and timm's, by order.

Each returns nothing and copies every entry of the reference's state into ours: parameters are
paired in the order of their names' roles, and every entry of both must be used exactly once.
"""

import re

import torch
from torch import Tensor, nn


def perturb(network: nn.Module, seed: int) -> None:
    """Random weights of a size at which every layer matters, layer scale and statistics too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, entry in network.state_dict().items():
            if not entry.is_floating_point():
                continue
            noise = torch.randn(entry.shape, generator=generator)
            if name.endswith("running_var"):
                entry.copy_(0.5 + noise.abs())
            elif entry.ndim == 4 and not name.endswith(("layer_scale", "gamma")):
                entry.copy_(noise * (1.0 / entry[0].numel()) ** 0.5)
            elif entry.ndim == 2:
                entry.copy_(noise * (1.0 / entry.shape[1]) ** 0.5)
            else:
                entry.copy_(0.5 + 0.5 * noise)


RESNET = [
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.norm."),
    (r"^fc\.", "head.classifier."),
    (r"^layer(\d)\.(\d+)\.conv1\.", r"stages.\1.blocks.\2.branch.pointwise1."),
    (r"^layer(\d)\.(\d+)\.bn1\.", r"stages.\1.blocks.\2.branch.pointwise1_norm."),
    (r"^layer(\d)\.(\d+)\.conv2\.", r"stages.\1.blocks.\2.branch.spatial."),
    (r"^layer(\d)\.(\d+)\.bn2\.", r"stages.\1.blocks.\2.branch.spatial_norm."),
    (r"^layer(\d)\.(\d+)\.conv3\.", r"stages.\1.blocks.\2.branch.pointwise2."),
    (r"^layer(\d)\.(\d+)\.bn3\.", r"stages.\1.blocks.\2.branch.pointwise2_norm."),
    (r"^layer(\d)\.(\d+)\.downsample\.0\.", r"stages.\1.blocks.\2.shortcut.conv."),
    (r"^layer(\d)\.(\d+)\.downsample\.1\.", r"stages.\1.blocks.\2.shortcut.norm."),
]

# Two convolutions a block: the first two of a bottleneck's rules, under other names.
BASIC_RESNET = [
    (
        pattern,
        replacement.replace("branch.spatial", "branch.spatial2").replace("pointwise1", "spatial1"),
    )
    for pattern, replacement in RESNET
    if "conv3" not in pattern and "bn3" not in pattern
]

# torchvision numbers its features: 0 the stem, odd ones stages, even ones downsampling.
CONVNEXT_TORCHVISION = [
    (r"^features\.0\.0\.", "stem.conv."),
    (r"^features\.0\.1\.", "stem.norm."),
    (r"^classifier\.0\.", "head.norm."),
    (r"^classifier\.2\.", "head.classifier."),
    (r"^features\.([246])\.0\.", r"stages.<\1>.downsample.norm."),
    (r"^features\.([246])\.1\.", r"stages.<\1>.downsample.conv."),
    (r"^features\.([1357])\.(\d+)\.block\.0\.", r"stages.<\1>.blocks.\2.branch.spatial."),
    (r"^features\.([1357])\.(\d+)\.block\.2\.", r"stages.<\1>.blocks.\2.branch.spatial_norm."),
    (r"^features\.([1357])\.(\d+)\.block\.3\.", r"stages.<\1>.blocks.\2.branch.pointwise1."),
    (r"^features\.([1357])\.(\d+)\.block\.5\.", r"stages.<\1>.blocks.\2.branch.pointwise2."),
    (r"^features\.([1357])\.(\d+)\.layer_scale$", r"stages.<\1>.blocks.\2.branch.scale.weight"),
]

CONVNEXT_TIMM = [
    (r"^stem\.0\.", "stem.conv."),
    (r"^stem\.1\.", "stem.norm."),
    (r"^head\.norm\.", "head.norm."),
    (r"^head\.fc\.", "head.classifier."),
    (r"^stages\.(\d)\.downsample\.0\.", r"stages.\1.downsample.norm."),
    (r"^stages\.(\d)\.downsample\.1\.", r"stages.\1.downsample.conv."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.conv_dw\.", r"stages.\1.blocks.\2.branch.spatial."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.norm\.", r"stages.\1.blocks.\2.branch.spatial_norm."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.mlp\.fc1\.", r"stages.\1.blocks.\2.branch.pointwise1."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.mlp\.fc2\.", r"stages.\1.blocks.\2.branch.pointwise2."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.mlp\.grn\.", r"stages.\1.blocks.\2.branch.response_norm."),
    (r"^stages\.(\d)\.blocks\.(\d+)\.gamma$", r"stages.\1.blocks.\2.branch.scale.weight"),
]


def renamed(name: str, rules: list[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        renamed, count = re.subn(pattern, replacement, name)
        if count:
            break
    else:
        raise AssertionError(f"no rule for {name}")
    # "<n>" is torchvision's feature number, two for each stage; ResNet's layers count from 1.
    renamed = re.sub(r"<(\d)>", lambda m: str((int(m[1]) - 1) // 2 + (int(m[1]) % 2 == 0)), renamed)
    if name.startswith("layer"):
        renamed = re.sub(r"^stages\.(\d)", lambda m: f"stages.{int(m[1]) - 1}", renamed)
    return renamed


def carry_over(reference: nn.Module, network: nn.Module, rules: list[tuple[str, str]]) -> None:
    """Copy the reference's state into the network; every entry of both must be matched."""
    theirs = {renamed(name, rules): entry for name, entry in reference.state_dict().items()}
    mine = network.state_dict()
    assert theirs.keys() == mine.keys()
    network.load_state_dict({name: _shaped(theirs[name], mine[name]) for name in mine})


def _shaped(entry: Tensor, like: Tensor) -> Tensor:
    assert entry.numel() == like.numel()
    return entry.reshape(like.shape)
