"""Depth: branches and skips, layer scale, blocks taken out, linear classifiers after blocks."""

import numpy as np
import pytest
import timm
import torch
from sklearn.linear_model import RidgeClassifierCV
from torch import Tensor, nn
from torchvision import models

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.anatomy import heard
from nextify.probes.kinds import linear_probe

GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randn(24, 3, 32, 32, generator=GENERATOR)
LABELS = torch.randint(10, (24,), generator=GENERATOR)


def trained_like(network: nn.Module) -> nn.Module:
    """With statistics and scales that are not those of a new network."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


class Half(nn.Module):
    """x + x / 2, or with `rectified` its positive part, through a branch of its own."""

    def __init__(self, rectified: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3)[:, :, None, None] / 2
        self.act = nn.ReLU(inplace=True) if rectified else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        out += x
        return self.act(out)


@pytest.mark.parametrize("rectified", [False, True])
def test_a_branch_of_half_the_skip(rectified: bool) -> None:
    network = nn.Sequential(nn.Sequential(Half(rectified), Half(rectified)), nn.Flatten())
    found = measure(network, IMAGES, ["branch-ratio"])["branch-ratio"]
    assert found.curves["block"] == pytest.approx([0.5, 0.5], abs=1e-6)
    assert found.value == pytest.approx(0.5, abs=1e-6)
    assert found.values == {"stage1": pytest.approx(0.5, abs=1e-6)}


def test_the_branches_of_torchvisions_resnet_are_what_its_last_norms_put_out() -> None:
    network = trained_like(models.resnet18())
    blocks = [f"layer{stage}.{at}" for stage in (1, 2, 3, 4) for at in (0, 1)]
    ends = [f"{block}.bn2" for block in blocks]
    skips = [f"{block}.downsample" for block in blocks if network.get_submodule(block).downsample]
    images = IMAGES[:4]
    with torch.no_grad(), heard(network, [*ends, *skips]) as out, heard(network, blocks, True) as x:
        network(images)
    expected = []
    for block in blocks:
        skip = out.get(f"{block}.downsample", x[block])
        norms = [each.flatten(1).norm(dim=1) for each in (out[f"{block}.bn2"], skip)]
        expected.append((norms[0] / norms[1]).mean().item())
    found = measure(network, images, ["branch-ratio"])["branch-ratio"]
    assert found.curves["block"] == pytest.approx(expected, rel=1e-4)


def test_our_branches_are_what_the_branch_puts_out() -> None:
    network = trained_like(build(design("resnet-small"), classes=10, image_size=32))
    blocks = [f"stages.{s}.blocks.{b}" for s, b in ((0, 0), (1, 0), (1, 1), (2, 0))]
    parts = [f"{block}.{part}" for block in blocks for part in ("branch", "shortcut")]
    with torch.no_grad(), heard(network, parts) as out:
        network(IMAGES)
    expected = [
        (out[f"{b}.branch"].flatten(1).norm(dim=1) / out[f"{b}.shortcut"].flatten(1).norm(dim=1))
        .mean()
        .item()
        for b in blocks
    ]
    found = measure(network, IMAGES, ["branch-ratio"])["branch-ratio"]
    assert found.curves["block"] == pytest.approx(expected, rel=1e-4)


def test_layer_scales_of_all_makes() -> None:
    ours = build(design("convnext-mini"), classes=10, image_size=32)
    vit = timm.create_model("vit_tiny_patch16_224", init_values=0.25, img_size=32, depth=2)
    new = timm.create_model("convnext_atto", num_classes=10)
    for network, start in ((ours, 1e-6), (vit, 0.25), (new, 1e-6), (models.convnext_tiny(), 1e-6)):
        found = measure(network, IMAGES[:1], ["layer-scale"])["layer-scale"]
        assert found.value == pytest.approx(start)
        assert len(set(found.curves["block"])) == 1
    with torch.no_grad():
        ours.stages[0].blocks[0].branch.scale.weight.fill_(-0.5)
    found = measure(ours, IMAGES, ["layer-scale"])["layer-scale"]
    assert found.values["stage1"] == 0.5 and found.curves["block"][1] == pytest.approx(1e-6)


def test_a_network_without_layer_scale_has_a_reason() -> None:
    found = measure(models.resnet18(), IMAGES[:1], ["layer-scale"])["layer-scale"]
    assert found.value is None and found.reason == "no block of this network has a layer scale"


def accuracy(network: nn.Module, labels: Tensor) -> float:
    with torch.no_grad():
        return 100 * (network(IMAGES).argmax(1) == labels).double().mean().item()


@pytest.mark.parametrize("ours", [True, False])
def test_a_block_taken_out_is_one_whose_last_norm_gives_nothing(ours: bool) -> None:
    if ours:
        network = trained_like(build(design("resnet-small"), classes=10, image_size=32))
        lasts = [b.branch[-1] for stage in network.stages for b in stage.blocks]
    else:
        network = trained_like(models.resnet18(num_classes=10))
        lasts = [block.bn2 for block in network.modules() if hasattr(block, "bn2")]
    with torch.no_grad():
        labels = network(IMAGES).argmax(1)  # so that the whole network is right
    found = measure(network, IMAGES, ["block-removal"], labels)["block-removal"]
    lost = []
    for last in lasts:
        kept = last.weight.detach().clone(), last.bias.detach().clone()
        nn.init.zeros_(last.weight), nn.init.zeros_(last.bias)
        lost.append(100 - accuracy(network, labels))
        last.weight.data, last.bias.data = kept
    assert found.curves["block"] == pytest.approx(lost) and max(lost) > 0
    assert found.value == pytest.approx(np.mean(lost)) and found.values["most"] == max(lost)


def test_blocks_that_add_nothing_are_not_missed() -> None:
    network = build(design("convnext-mini", layer_scale=0.0), classes=10, image_size=32)
    with torch.no_grad():
        labels = network(IMAGES).argmax(1)
    found = measure(network, IMAGES, ["block-removal", "branch-ratio"], labels)
    assert found["block-removal"].value == 0 and found["branch-ratio"].value < 1e-9


def features(count: int, size: int, noise: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(count) % 4
    centres = torch.randn(4, size, generator=generator, dtype=torch.float64)
    spread = torch.randn(count, size, generator=generator, dtype=torch.float64)
    scale = torch.rand(size, generator=generator, dtype=torch.float64) + 0.1
    return (centres[labels] + noise * spread) * scale, labels


@pytest.mark.parametrize(("size", "noise"), [(12, 1.0), (12, 4.0), (150, 2.0)])
def test_the_linear_classifier_is_scikit_learns(size: int, noise: float) -> None:
    x, labels = features(120, size, noise)
    train, test = x[:90], x[90:]
    targets = 2 * nn.functional.one_hot(labels).double() - 1
    ours = linear_probe.answers(train, targets[:90], test)
    mean, deviation = train.mean(0), train.std(0, correction=0)
    one = RidgeClassifierCV(alphas=linear_probe.PENALTIES)
    one.fit(((train - mean) / deviation).numpy(), labels[:90].numpy())
    theirs = one.decision_function(((test - mean) / deviation).numpy())
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-6)


def test_folds_deal_out_every_class_evenly() -> None:
    labels = torch.arange(103) % 4
    fold = linear_probe.folds(labels, torch.Generator().manual_seed(0))
    for each in range(4):
        counts = fold[labels == each].bincount(minlength=5)
        assert counts.max() - counts.min() <= 1


def test_what_cannot_be_told_is_at_chance_and_what_can_is_told() -> None:
    x, labels = features(400, 30, 0.05)
    fold = linear_probe.folds(labels, torch.Generator().manual_seed(0))
    assert linear_probe.accuracy(x, labels, fold) == 100
    of_chance = labels[torch.randperm(400, generator=torch.Generator().manual_seed(1))]
    fold = linear_probe.folds(of_chance, torch.Generator().manual_seed(0))
    assert linear_probe.accuracy(x, of_chance, fold) == pytest.approx(25, abs=8)


def test_classes_that_are_colours_are_told_after_every_block() -> None:
    labels = torch.arange(40) % 2
    images = 0.1 * IMAGES.repeat(2, 1, 1, 1)[:40] + (labels * 2 - 1)[:, None, None, None]
    network = build(design("vit-mini"), classes=2, image_size=32)
    found = measure(network, images, ["linear-probe"], labels)["linear-probe"]
    assert found.value == 100 and found.curves["block"] == [100] * 4
    assert "true classes" in measure(network, images, ["linear-probe"])["linear-probe"].reason
