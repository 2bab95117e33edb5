"""Normalisation: what depends on the batch, and whose size does not count."""

import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.kinds.batch_dependence import change

IMAGES = torch.randn(64, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def batch_normed() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 4),
    )  # fmt: skip


def seeded(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.5, generator=generator)
    return network


@pytest.mark.parametrize("name", ["convnext-mini", "vit-mini", "swin-mini"])
def test_layer_norms_know_no_batch(name: str) -> None:
    network = build(design(name), classes=10, image_size=32)
    images = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = measure(network, images, ["batch-dependence"])["batch-dependence"]
    assert max(found.curves["change"]) < 1e-5 and found.values["decisions"] == 0
    assert found.curves["batch"] == [2, 4, 8, 16, 32]


def test_batch_norm_depends_on_the_batch_the_less_the_larger_it_is() -> None:
    network = seeded(batch_normed())
    network[1].momentum = 1.0
    network.train()(IMAGES)  # the running statistics are now those of all 64
    found = measure(network, IMAGES, ["batch-dependence"])["batch-dependence"]
    changes = found.curves["change"]
    assert changes == sorted(changes, reverse=True) and changes[0] > 0.02
    assert changes[-1] < 2e-3  # but for the variance's n - 1
    assert found.value == found.values["batch16"]


def test_a_change_of_all_logits_alike_is_none() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    assert change(logits + 3, logits) == pytest.approx(0, abs=1e-6)
    assert change(1.5 * logits, logits) == pytest.approx(0.5, abs=1e-6)


def test_behind_a_batch_norm_only_the_direction_of_weights_counts() -> None:
    network = seeded(batch_normed())
    found = measure(network, IMAGES, ["scale-invariance"])["scale-invariance"]
    inner, outer = network[0].weight.numel(), network[5].weight.numel()
    assert found.value == inner / (inner + outer)
    assert found.curves["layer"][0] < 1e-3 and found.curves["layer"][1] > 0.2


def test_without_norms_every_size_counts() -> None:
    network = seeded(nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Flatten(),
                                   nn.Linear(600, 4, bias=False)))  # fmt: skip
    found = measure(network, IMAGES, ["scale-invariance"])["scale-invariance"]
    assert found.value == 0
    assert found.values["contrast"] == pytest.approx(0.5, abs=1e-6)  # homogeneous
    assert found.values["decisions"] == 0


class NormFirst(nn.Module):
    """A layer norm over each whole image, before all else."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(nn.functional.layer_norm(x, x.shape[1:]))


def test_a_norm_of_the_image_takes_its_contrast_away() -> None:
    network = NormFirst(seeded(batch_normed()))
    found = measure(network, IMAGES, ["scale-invariance"])["scale-invariance"]
    assert found.values["contrast"] < 1e-3 and found.values["decisions"] == 0


def test_a_layer_that_hardly_matters_is_not_invariant() -> None:
    class Faint(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.loud, self.faint = nn.Linear(432, 4), nn.Linear(432, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.loud(x.flatten(1)) + 1e-6 * self.faint(x.flatten(1))

    found = measure(seeded(Faint()), IMAGES, ["scale-invariance"])["scale-invariance"]
    assert found.value == 0
