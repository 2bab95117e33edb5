"""The Hessian's largest eigenvalues, against the whole Hessian."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.curvature import augmented, largest_eigenvalues


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def whole(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The Hessian of the mean loss, by automatic differentiation of a flat vector of weights."""
    names = dict(network.named_parameters())
    sizes = [each.numel() for each in names.values()]
    flat = torch.cat([each.detach().flatten() for each in names.values()])

    def loss(vector: Tensor) -> Tensor:
        parts = zip(names.items(), vector.split(sizes), strict=True)
        weights = {name: part.view_as(like) for (name, like), part in parts}
        return cross_entropy(functional_call(network, weights, (images,)), labels)

    return torch.autograd.functional.hessian(loss, flat, vectorize=True)


def plain() -> nn.Module:
    torch.manual_seed(0)
    convolutions = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.GELU(), nn.Conv2d(4, 6, 3, 2, 1)
    return nn.Sequential(*convolutions, nn.GELU(), nn.Flatten(), nn.Linear(24, 4)).eval()


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_eigenvalues_are_those_of_the_whole_hessian(l2: float) -> None:
    images, labels = drawn(12, 3, 8, 8), torch.arange(12) % 4
    network = plain()
    every = torch.linalg.eigvalsh(whole(network.double(), images.double(), labels)) + l2
    largest = every[every.abs().argsort(descending=True)][:5]
    found = largest_eigenvalues(network.float(), images, labels, count=5, l2=l2, seed=0)
    assert found == pytest.approx(largest.tolist(), rel=1e-4)


def by_differences(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The Hessian from gradients beside the weights, whoever wrote these."""
    weights = list(network.parameters())
    flat = torch.cat([each.detach().flatten() for each in weights])
    sizes = [each.numel() for each in weights]

    def gradient(at: Tensor) -> Tensor:
        for weight, part in zip(weights, at.split(sizes), strict=True):
            weight.data = part.view_as(weight)
        found = torch.autograd.grad(cross_entropy(network(images), labels), weights)
        return torch.cat([each.flatten() for each in found])

    steps = 1e-5 * torch.eye(len(flat)).to(flat)
    rows = torch.stack([gradient(flat + step) - gradient(flat - step) for step in steps]) / 2e-5
    return (rows + rows.T) / 2


def test_gradients_that_are_written_by_hand_are_derived_twice() -> None:
    small = replace(design("convnext-mini"), depths=(1,), widths=(2,))
    network = build(small, classes=3, image_size=8, seed=0).eval().double()
    images, labels = 3 * drawn(16, 3, 8, 8).double(), torch.arange(16) % 3
    with torch.no_grad():
        for name, each in network.named_parameters():
            each.add_(0.3 * drawn(*each.shape, seed=len(name)))
    found = largest_eigenvalues(network, images, labels, count=3, l2=0.0, seed=0)
    every = torch.linalg.eigvalsh(by_differences(network, images, labels))
    largest = every[every.abs().argsort(descending=True)][:3]
    assert found == pytest.approx(largest.tolist(), rel=1e-4)


def test_of_a_linear_network_it_is_known() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2, bias=False))
    nn.init.zeros_(network[1].weight)  # two classes, equally likely: H = (I - J/2) / 2 x C
    images = drawn(30, 3, 2, 2)
    spread = torch.linalg.eigvalsh(images.flatten(1).double().T @ images.flatten(1).double() / 30)
    found = largest_eigenvalues(network, images, torch.zeros(30).long(), count=1, l2=0.0, seed=0)
    assert found == pytest.approx([spread[-1].item() / 2], rel=1e-4)


def test_more_eigenvalues_than_parameters_are_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    with pytest.raises(ValueError, match="12 eigenvalues of 12 parameters"):
        largest_eigenvalues(
            network, drawn(4, 3, 2, 2), torch.zeros(4).long(), count=12, l2=0, seed=0
        )


def test_augmented_images_are_shifted_and_mirrored() -> None:
    ramp = torch.arange(16.0).expand(1, 3, 16, 16).repeat(50, 1, 1, 1)
    found = augmented(ramp, torch.Generator().manual_seed(0))
    middle = found[:, 0, 8, 4:12]
    steps = middle.diff(dim=1)
    assert set(steps.unique().tolist()) == {-1.0, 1.0}
    assert {int(row[0]) for row in middle if row[1] > row[0]} == {2, 3, 4, 5, 6}
    assert torch.equal(found, augmented(ramp, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("sides", [(16, 32), (32, 16)])
def test_images_need_not_be_square(sides) -> None:
    rows = torch.arange(float(sides[0]))[:, None].expand(1, 3, *sides).repeat(50, 1, 1, 1)
    found = augmented(rows, torch.Generator().manual_seed(0))
    assert found.shape == rows.shape
    assert {int(each) for each in found[:, 0, sides[0] // 2, 0] - sides[0] // 2} == {
        *range(-(sides[0] // 8), sides[0] // 8 + 1)
    }


def test_the_value_is_the_mean_of_the_largest_magnitudes() -> None:
    images, labels = drawn(40, 3, 8, 8), torch.arange(40) % 4
    found = measure(plain(), images, ["hessian"], labels)["hessian"]
    rows = found.curves["eigenvalues"]
    assert [len(row) for row in rows] == [5, 5]  # of 16 images each
    assert found.value == pytest.approx(sum(abs(row[0]) for row in rows) / 2)
    assert found.values["negative"] == sum(x < 0 for row in rows for x in row) / 10
