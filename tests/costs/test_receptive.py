"""Receptive fields against numbers that are written down, and against the gradients of networks."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nextify.blueprint import draw, specs
from nextify.costs.receptive import Span, receptive_field, seen
from nextify.designs import AnyDesign, Design, Swin, Vit, design
from nextify.errors import InputError
from nextify.network import build
from nextify.network.modules import Network
from random_transformers import swins, vits
from strategies import subsets_of


def test_a_stack_that_is_written_down() -> None:
    """3 x 3 twice, pooling by 2, 5 x 5: 1 + 2 + 2 + (3 - 1) + 4 * 2 = 15."""
    conv = specs.Conv(1, 1, kernel=3, padding=1)
    wide = specs.Conv(1, 1, kernel=5, padding=2)
    layers = (("a", conv), ("b", conv), ("pool", specs.MaxPool()), ("c", wide))
    assert seen(layers, 64, Span(10, 10)) == Span(20 - 7, 20 + 7)
    assert seen(layers, 64, Span(0, 0, is_cut=True)) == Span(0, 7, is_cut=True)


@pytest.mark.parametrize(
    ("name", "convs"),
    [("resnet18", (4, 4, 4, 4)), ("resnet34", (6, 8, 12, 6)), ("resnet50", (3, 4, 6, 3))],
)
def test_each_stage_of_a_resnet(name: str, convs: tuple[int, ...]) -> None:
    """The stem sees 7 + 2 * 2; each 3 x 3 convolution adds two strides of its input, of which the
    first of a stage has half of its stage's."""
    field, wanted = 7 + 2 * 2, []
    for at, (count, stride) in enumerate(zip(convs, (4, 8, 16, 32), strict=True)):
        field += 2 * stride * count - (stride if at else 0)
        wanted.append(field)
    assert receptive_field(design(name), 224) == tuple(wanted)


def test_each_stage_of_convnext() -> None:
    """Stem 4; 7 x 7 three times at stride 4; then a 2 x 2 step, and strides of 8, 16, 32."""
    one = 4 + 3 * 6 * 4
    two = one + 4 + 3 * 6 * 8
    three = two + 8 + 9 * 6 * 16
    assert receptive_field(design("convnext-tiny"), 224) == (one, two, three, three + 16 + 3 * 192)


def test_what_mixes_a_whole_map_sees_the_image() -> None:
    assert receptive_field(design("vit-mini"), 32) == (32,)
    assert set(receptive_field(design("convnextv2-atto"), (96, 64))) == {96}


def test_windows() -> None:
    """Two windows of 4 tokens of 4 pixels overlap in a shifted one; an only window has no shift."""
    assert receptive_field(design("swin-mini"), 32) == (32, 64)
    assert receptive_field(Swin(depths=(1,), heads=(3,), window=4, width=6), 64) == (16,)


def test_images_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match="too small"):
        receptive_field(design("resnet50"), 4)


def drawn(of: AnyDesign, sides: tuple[int, int]) -> Network:
    """A network all of whose numbers are drawn, since initial ones are 0 in places, and whose
    layers hide nothing: GELU for ReLU, the mean for the maximum."""
    network = build(of, classes=2, image_size=sides).double().eval().requires_grad_(False)
    for within in list(network.modules()):
        for name, module in within.named_children():
            if isinstance(module, nn.ReLU):
                setattr(within, name, nn.GELU())
            elif isinstance(module, nn.MaxPool2d):
                setattr(within, name, nn.AvgPool2d(3, 2, 1))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.normal_(0, 0.4, generator=generator)
    return network


def after(network: Network, stage: int, images: Tensor, of: AnyDesign) -> Tensor:
    """The map after a stage, (N, C, H, W)."""
    maps: Tensor = network.stages[: stage + 1](network.stem(images))
    match of:
        case Vit():  # one row of tokens will do: each sees all
            return maps[:, 1:].transpose(1, 2)[:, :, None]
        case Swin():
            return maps.permute(0, 3, 1, 2)
    return maps


def reached(maps: Tensor, at: tuple[int, int], images: Tensor) -> tuple[Span, Span]:
    """The first and the last row and column of the image with a gradient, for the unit at a place
    of the map. Under a mask of attention there is e^-100, and not 0."""
    row, column = at
    (gradient,) = torch.autograd.grad(maps[:, :, row, column].square().sum(), images)
    there = gradient.abs().amax((0, 1))
    there = there > 1e-25 * there.max()
    rows, columns = there.any(1).nonzero(), there.any(0).nonzero()
    return (
        Span(int(rows.min()), int(rows.max()), is_cut=True),
        Span(int(columns.min()), int(columns.max()), is_cut=True),
    )


def assert_gradients_reach_as_far(of: AnyDesign, sides: tuple[int, int], place: float) -> None:
    """For the unit at a place of the map (0: its first corner, 1: its last) after every stage."""
    blueprint, network = draw(of, 2, sides), drawn(of, sides)
    images = torch.randn(1, 3, *sides, dtype=torch.float64, requires_grad=True)
    way = blueprint.stem
    for stage, (_, layers) in enumerate(blueprint.sections()[1:-1]):
        way = (*way, *layers)
        maps = after(network, stage, images, of)
        row, column = (round(place * (units - 1)) for units in maps.shape[2:])
        spans = [
            seen(way, side, Span(unit, unit, is_cut=True))
            for side, unit in zip(sides, (row, column), strict=True)
        ]
        assert list(reached(maps, (row, column), images)) == spans


PLACES = st.sampled_from((0.0, 0.3, 0.5, 0.8, 1.0))


@settings(max_examples=8)
@given(subsets_of("small"), st.sampled_from(("none", "global")), PLACES)
def test_convolutional_designs_see_what_gradients_reach(
    of: Design, response_norm: Literal["none", "global"], place: float
) -> None:
    assert_gradients_reach_as_far(
        replace(of, widths=(4, 4, 4), response_norm=response_norm), (48, 40), place
    )


@settings(max_examples=8)
@given(swins(), PLACES)
def test_windows_see_what_gradients_reach(swin: tuple[Swin, tuple[int, int]], place: float) -> None:
    assert_gradients_reach_as_far(*swin, place)


@settings(max_examples=5)
@given(vits())
def test_a_vit_sees_what_gradients_reach(vit: tuple[Vit, tuple[int, int]]) -> None:
    assert_gradients_reach_as_far(*vit, 0.0)


@pytest.mark.parametrize("name", ["resnet-small", "swin-mini"])
def test_in_a_large_image_the_field_is_whole(name: str) -> None:
    of, sides = design(name), (256, 256)
    images = torch.randn(1, 3, *sides, dtype=torch.float64, requires_grad=True)
    last = len(draw(of).stages) - 1
    maps = after(drawn(of, sides), last, images, of)
    middle = maps.shape[2] // 2
    (rows, columns) = reached(maps, (middle, middle), images)
    assert rows.length == columns.length == receptive_field(of, sides)[-1] < 256
