"""Evaluation: a stack's copies as each alone, and what mixed precision keeps wide."""

import torch
from torch import nn

import nextify as nx
from nextify.data import Images
from nextify.designs import design
from nextify.network.modules import ResidualBlock
from nextify.training import evaluate
from nextify.training.evaluate import answers_of, evaluate_copies
from training.conftest import SMALL


class SideBySide(nn.Module):
    """Networks that each see their own three channels."""

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images):
        parts = images.split(3, 1)
        return torch.stack([n(x) for n, x in zip(self.networks, parts, strict=True)], 1)


def network_of(seed: int = 0):
    return nx.build(design("convnext-mini", **SMALL), 4, image_size=16, seed=seed)


def test_each_copy_is_scored_as_it_would_be_alone(corners):
    networks = [network_of(seed).eval() for seed in range(3)]
    with torch.no_grad():
        networks[1].head[-1].weight.fill_(float("nan"))
    copies = SideBySide(networks).train()
    found = evaluate_copies(copies, corners.test, answers_of(copies, corners, copies=3))
    assert copies.training
    for network, scores in zip(networks, found, strict=True):
        alone = evaluate(network, corners, corners.test)
        assert scores.packed == alone.packed and scores.answered == alone.answered
        for name in ("accuracy", "nll", "calibration_error"):
            one, other = getattr(scores, name), getattr(alone, name)
            assert one == other or (one != one and other != other), name


def test_large_images_are_answered_few_at_a_time(corners):
    """The more pixels they have, the more memory each of them takes."""
    counts = []

    def answers(pixels):
        counts.append(len(pixels))
        return torch.zeros(len(pixels), 1, 4)

    for side, expected in ((146, [130]), (512, [41, 41, 41, 7])):
        images = Images(torch.zeros(1).byte().expand(130, 1, side, side), corners.test.labels)
        counts.clear()
        evaluate(network_of(), corners, images, answers=answers)
        assert counts == expected


def test_the_residual_stream_is_wide_in_mixed_precision(corners):
    """Layer scale begins at 1e-6: what a block adds would be lost in bfloat16."""
    network, found = network_of(), []
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            module.register_forward_hook(lambda _, __, y: found.append(y.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.randn(2, 3, 16, 16))
    assert found == [torch.float32] * 2
