"""Lie derivatives against differences, and where they are known."""

import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.lie import changes
from nextify.probes.moving import DIRECTIONS, moved
from probes.circular import Means, wrapping


def band_limited(side: int, most: int) -> Tensor:
    """Random images (2, 3, side, side) of frequencies up to `most` waves a side."""
    waves = torch.fft.fftfreq(side).mul(side).abs() <= most
    spectrum = torch.fft.fft2(torch.randn(2, 3, side, side, dtype=torch.float64))
    return torch.fft.ifft2(spectrum * waves[:, None] * waves).real


@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_that_wraps_around_moves_with_band_limited_images(stride: int) -> None:
    """Where the stride leaves room for their frequencies; for others it does not."""
    network = wrapping(stride, smooth=False)
    for images, moves in ((band_limited(32, 7), True), (band_limited(32, 15), stride == 1)):
        for direction in DIRECTIONS["translation"]:
            _, maps = changes(network, images, ["0.0"], direction, "circular")
            off, size = maps["0.0"].error
            assert (off / size < 1e-12) == moves


def turned(images: Tensor, kind: str, at: int, by: float) -> Tensor:
    """Images moved, turned or grown, mirrored at their borders: the sum of their cosines (the
    discrete cosine transform), written out at the places where the pixels come from."""
    side = images.shape[-1]
    place = torch.arange(side, dtype=torch.float64)
    y, x = (each - (side - 1) / 2 for each in torch.meshgrid(place, place, indexing="ij"))
    angle = torch.tensor(by, dtype=torch.float64)
    match kind, at:
        case "translation", 0:
            y = y - by
        case "translation", 1:
            x = x - by
        case "rotation", _:
            y, x = y * angle.cos() - x * angle.sin(), x * angle.cos() + y * angle.sin()
        case "scale", _:
            y, x = y / angle.exp(), x / angle.exp()
    wave = torch.arange(side, dtype=torch.float64)

    def cosines(at: Tensor) -> Tensor:
        return (torch.pi * wave * (at[..., None] + side / 2) / side).cos()

    here = cosines(place - (side - 1) / 2)
    amplitudes = torch.linalg.solve(here, images)  # of the columns
    amplitudes = torch.linalg.solve(here, amplitudes.transpose(-1, -2)).transpose(-1, -2)
    return torch.einsum("ncjk,yxj,yxk->ncyx", amplitudes, cosines(y), cosines(x))


@pytest.mark.parametrize(("kind", "at"), [("translation", 0), ("translation", 1),
                                          ("rotation", 0), ("scale", 0)])  # fmt: skip
def test_forward_mode_is_the_difference_of_images_that_are_moved(kind: str, at: int) -> None:
    """Of the classes, and of a map of half the image's pixels a side, moved back."""
    network, step = wrapping(2), 1e-4
    images = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    classes, maps = changes(network, images, ["0.0"], DIRECTIONS[kind][at])

    def back(by: float) -> tuple[Tensor, Tensor]:
        x = turned(images, kind, at, by)
        return network(x).softmax(1), network[0](x)

    more, less = back(step), back(-step)
    found, map_found = ((a - b) / (2 * step) for a, b in zip(more, less, strict=True))
    assert torch.allclose(classes.lie, found, rtol=1e-4, atol=1e-6)
    assert torch.allclose(maps["0.0"].found, map_found, rtol=1e-4, atol=1e-6)


def test_a_map_turns_and_grows_about_the_middle_of_the_image_wherever_its_units_are() -> None:
    """A smooth blob, seen by patches of 2 x 2 pixels and by every second pixel alone: the units of
    both are at other places, and both turn with the image."""
    place = torch.arange(32, dtype=torch.float64) - 15.5
    blob = torch.exp(-((place[:, None] - 3) ** 2 / 12 + (place + 2) ** 2 / 20))
    images = blob.expand(1, 3, 32, 32).contiguous()
    for kernel in (1, 2):
        conv = nn.Conv2d(3, 1, kernel, 2, bias=False)
        nn.init.constant_(conv.weight, 1.0)
        network = nn.Sequential(conv, Means()).double().requires_grad_(False)
        for kind in ("rotation", "scale", "translation"):
            for direction in DIRECTIONS[kind]:
                _, maps = changes(network, images, ["0"], direction)
                off, size = maps["0"].error
                assert off / size < 1e-3  # .006 or more with it half a pixel off


def test_both_ways_to_sum_up() -> None:
    network, images = wrapping(1), torch.rand(4, 3, 16, 16)
    found = measure(network.float(), images, ["lie-translation"])["lie-translation"]
    every = torch.cat([
        changes(network.double(), images.double(), [], direction)[0].lie
        for direction in DIRECTIONS["translation"]
    ])  # fmt: skip
    assert found.value == pytest.approx(float((every**2).mean()), rel=1e-3)
    assert found.values["absolute"] == pytest.approx(float(every.abs().mean()), rel=1e-3)
    assert (found.unit, found.units["absolute"], found.units["stage1"]) == ("1/px²", "1/px", "")


@pytest.mark.parametrize("name", ["vit-mini", "swin-mini", "convnext-mini"])
def test_on_real_networks_too(name: str) -> None:
    """The probabilities of attention, windows and depthwise convolutions; double precision."""
    network = build(design(name), 10, image_size=32).double().eval().requires_grad_(False)
    images, step = torch.randn(2, 3, 32, 32, dtype=torch.float64), 1e-4
    found, _ = changes(network, images, [], DIRECTIONS["translation"][1])
    more, less = (network(moved(images, 0, by)).softmax(1) for by in (step, -step))
    assert torch.allclose(found.lie, (more - less) / (2 * step), rtol=1e-4, atol=1e-9)


def test_a_stage_whose_map_has_one_position_is_left_out() -> None:
    network = build(design("convnext-mini"), 10)
    found = measure(network, torch.rand(4, 3, 28, 28), ["lie-translation"])["lie-translation"]
    assert list(found.values) == ["absolute", "stage1", "stage2"]
    none = measure(wrapping(8, 2).float(), torch.rand(4, 3, 8, 8), ["lie-rotation"])["lie-rotation"]
    assert none.value is not None and list(none.values) == ["absolute"]
