"""What a network answers, a few images at a time."""

import torch
from torch import Tensor, nn

_BATCH = 100  # images: what flows at 224 pixels fits any memory


def decisions(network: nn.Module, images: Tensor) -> Tensor:
    """The most likely class of each image: (N, 3, H, W) to (N,)."""
    with torch.no_grad():
        return torch.cat([network(part).argmax(1) for part in torch.split(images, _BATCH)])


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images that a network classifies right."""
    return (decisions(network, images) == labels).double().mean().item()
