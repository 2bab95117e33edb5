"""Effective receptive fields: where the unit is and what squares hold."""

import pytest
import timm
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torchvision import models

from nextify.blueprint import draw
from nextify.costs.receptive import Span, seen
from nextify.designs import Design, Swin, design
from nextify.network import build
from nextify.probes import measure, receptive_field
from nextify.probes.effective import input_gradients, middle_unit, squares
from nextify.probes.kinds import effective_receptive_field
from nextify.probes.lattice import lattices
from nextify.probes.probe import Undefined
from strategies import subsets_of


class Plain(nn.Module):
    """A block: depthwise k x k convolutions, all of whose weights are one. A second layer, which
    does not run, makes it one."""

    def __init__(self, kernel: int, count: int, scale: float = 1.0) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 3, kernel, padding=kernel // 2, groups=3, bias=False)
        nn.init.constant_(conv.weight, scale)
        self.layers = nn.Sequential(*[conv] * count, nn.Conv2d(3, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[:-1](x)


class Patches(nn.Sequential):
    """A block."""


def stacked(kernel: int, count: int, scale: float = 1.0) -> nn.Module:
    return nn.Sequential(nn.Sequential(Plain(kernel, count, scale)))


@pytest.mark.parametrize(("kernel", "count"), [(3, 1), (3, 6), (5, 3), (7, 2)])
def test_uniform_convolutions_have_the_variance_of_their_sum(kernel: int, count: int) -> None:
    """Luo et al. 2016 (arXiv 1701.04128), section 2: n (k^2 - 1) / 12 on each axis."""
    mass = input_gradients(stacked(kernel, count), torch.rand(2, 3, 41, 41)).sum((0, 1))
    place = torch.arange(41.0) - 20
    for axis in (0, 1):
        on_axis = mass.sum(axis) / mass.sum()
        variance = float((on_axis * place**2).sum())
        assert variance == pytest.approx(count * (kernel**2 - 1) / 12, rel=1e-5)


def test_squares_about_a_unit_between_pixels_and_on_one() -> None:
    flat = torch.ones(1, 8, 8)
    between, on = squares(flat, (3.5, 3.5)), squares(flat, (4.0, 4.0))
    assert between.sides.tolist() == [2, 4, 6, 8]
    assert (between.shares * 64).tolist() == [4, 16, 36, 64]
    assert on.sides.tolist() == [1, 3, 5, 7, 9]  # the last is cut by the image
    assert (on.shares * 64).tolist() == [1, 9, 25, 49, 64]
    for thresholds in (0.01, 0.05, 0.5, 0.57, 0.99):  # of what is even, as much is in as much
        assert float(between.share(thresholds)) == pytest.approx(thresholds)
        assert float(on.share(thresholds)) == pytest.approx(thresholds)


def test_a_square_that_holds_so_much() -> None:
    """All in the four pixels about the unit but a tenth, which is in the two rings beyond."""
    scores = torch.zeros(1, 8, 8)
    scores[0, 3:5, 3:5] = 90 / 4
    scores[0, 2, 4] = scores[0, 1, 2] = 5
    about = squares(scores, (3.5, 3.5))
    assert [float(about.share(t)) * 64 for t in (0.45, 0.9, 0.95, 0.975)] == pytest.approx(
        [2, 4, 16, 26]
    )


def test_no_gradient_is_no_field() -> None:
    with pytest.raises(Undefined, match="no gradient"):
        squares(torch.zeros(1, 4, 4), (2.0, 2.0))


def test_images_without_a_gradient_leave_an_interval(monkeypatch) -> None:
    """Drawn anew, eight images with one that has a gradient have none a third of the time."""
    scores = torch.zeros(8, 3, 16, 16)
    scores[0] = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(effective_receptive_field, "input_gradients", lambda *_: scores)
    network = build(design("resnet-small"), 10, image_size=16)
    found = measure(network, torch.zeros(8, 3, 16, 16), ["effective-receptive-field"])
    values = found["effective-receptive-field"].values
    assert values["low"] == values["high"] == pytest.approx(values["r50"])


def test_drawing_images_anew_is_summing_them_as_often_as_drawn() -> None:
    scores = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(1)) ** 8
    weights = torch.tensor([[2.0, 0.0, 1.0]]).double()
    again = squares(scores[[0, 0, 2]], (4.0, 4.0))
    drawn = squares(scores, (4.0, 4.0)).share(0.5, weights)
    assert drawn.tolist() == [float(again.share(0.5))]


def test_the_scale_of_features_does_not_matter() -> None:
    network, images = build(design("resnet-small"), 10, image_size=32), torch.randn(8, 3, 32, 32)
    found, logs = [], []
    for _ in range(2):
        values = measure(network, images, ["effective-receptive-field"]).popitem()[1].values
        found.append(dict(values))
        scores = input_gradients(network.eval(), images).relu().sum(1).mean(0, keepdim=True)
        logs.append(float(squares((1 + scores).log10(), (16.0, 16.0)).share(0.5)))
        last = network.stages[2].blocks[0]
        for norm in (last.branch.pointwise2_norm, last.shortcut.norm):
            norm.weight.data *= 10
            norm.bias.data *= 10
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert logs[0] != logs[1]  # what the logarithm before the sum does


@pytest.mark.parametrize(
    ("network", "image", "side", "first", "stride"),
    [
        (models.resnet18(), 64, 2, 0.0, 32),
        (models.convnext_tiny(), 64, 2, 15.5, 32),
        (models.swin_t(), 64, 2, 15.5, 32),
        (timm.create_model("vit_tiny_patch16_224", img_size=64), 64, 4, 7.5, 16),
        (timm.create_model("swin_tiny_patch4_window7_224", img_size=64), 64, 8, 3.5, 8),
        # Odd maps are padded before neighbours are joined: 25, 13, 7 and 4 units a side.
        (build(design("swin-t"), 10, image_size=100), 100, 13, 3.5, 8),
        (build(design("swin-t"), 10, image_size=100), 100, 7, 7.5, 16),
        (build(design("swin-t"), 10, image_size=100), 100, 4, 15.5, 32),
        (build(design("swin-t"), 10, image_size=40), 40, 3, 7.5, 16),
    ],
)
def test_where_units_of_known_networks_are(
    network: nn.Module, image: int, side: int, first: float, stride: int
) -> None:
    for found in lattices(network.eval(), torch.rand(1, 3, image, image), (side, side)):
        assert (found.first, found.stride) == (first, stride)


def test_a_unit_behind_odd_maps_is_in_the_middle_of_what_reaches_it() -> None:
    """A Swin without attention and MLPs: unit 2 of the last map joins pixels 64 to 95."""
    of = Swin(width=12, depths=(1, 1, 1, 1), heads=(1, 2, 4, 8), window=7)
    network = build(of, 10, image_size=100).eval()
    for name, parameter in network.named_parameters():
        if "attn.proj" in name or "mlp.3" in name:
            nn.init.zeros_(parameter)
    images = torch.randn(4, 3, 100, 100)
    reach = input_gradients(network, images).abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    assert (reach[0], reach[-1]) == (64, 95)
    assert middle_unit(network, images) == (79.5, 79.5)


@settings(max_examples=5)
@given(subsets_of("small"))
def test_units_are_in_the_middle_of_what_they_can_see(of: Design) -> None:
    """The modules, followed as they run, against arithmetic on the blueprint; 48 x 64 pixels."""
    network, blueprint = build(of, 10).eval(), draw(of)
    images, way = torch.zeros(1, 3, 48, 64), blueprint.stem
    maps = network.stem(images)
    for stage, (_, layers) in enumerate(blueprint.sections()[1:-1]):
        way, maps = (*way, *layers), network.stages[stage](maps)
        height, width = maps.shape[2:]
        for found, side in zip(lattices(network, images, (height, width)), (48, 64), strict=True):
            for unit in (0, 1):
                span = seen(way, side, Span(unit, unit))
                assert found.at(unit) == (span.first + span.last) / 2


@pytest.mark.parametrize("name", ["resnet-small", "convnext-mini", "swin-mini", "vit-mini"])
def test_theory_contains_what_is_measured(name: str) -> None:
    network = build(design(name), 10, image_size=32).eval()
    images = torch.randn(4, 3, 32, 32)
    scores = input_gradients(network, images).abs().sum((0, 1))
    side = receptive_field(design(name), 32)[-1]
    for axis in (0, 1):
        there = (scores.sum(axis) > 0).nonzero()
        assert there.max() - there.min() < side
    found = measure(network, images, ["receptive-field"])["receptive-field"]
    assert found.value == side and found.unit == "px"


def test_theory_needs_a_blueprint() -> None:
    found = measure(models.resnet18(), torch.rand(1, 3, 32, 32), ["receptive-field"])
    assert "blueprint" in found["receptive-field"].reason


def test_the_middle_of_a_map_is_not_the_middle_of_its_image() -> None:
    """A unit that sees one patch only: all of it is in a square of the patch's side about the
    unit, and in one about pixel H / 2 only with twice the side."""
    network = nn.Sequential(nn.Sequential(Patches(nn.Conv2d(3, 6, 8, 8), nn.Conv2d(6, 6, 1))))
    images = torch.rand(4, 3, 32, 32)
    assert middle_unit(network, images) == (19.5, 19.5)
    scores = input_gradients(network, images).abs().sum(1)
    assert float(squares(scores, (19.5, 19.5)).share(1.0)) == 64 / 1024
    assert float(squares(scores, (16.0, 16.0)).share(1.0)) == 15**2 / 1024
