"""Bands of frequency: filters that are exact, and networks that read one band only."""

import math

import pytest
import torch
from torch import Tensor, nn

from nextify.probes import measure
from nextify.probes.bands import WHOLE, band, band_noise, frequencies

HALF = 0.5


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def wave(cycles: int, side: int = 16) -> Tensor:
    """A wave down the image, so many times over its height: (side, side)."""
    return torch.cos(2 * math.pi * cycles * torch.arange(side) / side)[:, None].expand(-1, side)


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (2, 3, 15, 12)])
def test_low_and_high_add_up_to_the_image(shape: tuple[int, ...]) -> None:
    images = drawn(*shape)
    low, high = band(images, WHOLE[0], HALF), band(images, HALF, WHOLE[1])
    assert torch.allclose(low + high, images, atol=1e-6)
    assert torch.allclose(band(low, WHOLE[0], HALF), low, atol=1e-6)  # what is out stays out
    assert (low * high).sum((1, 2, 3)).abs().max() < 1e-3  # and has nothing in common
    assert high.mean((2, 3)).abs().max() < 1e-6


def test_a_wave_passes_whole_or_not_at_all() -> None:
    kept = [band(wave(cycles), WHOLE[0], HALF).abs().max() for cycles in (0, 1, 4, 5, 8)]
    assert [round(float(each), 5) for each in kept] == [1, 1, 1, 0, 0]
    assert frequencies(16, 16)[:, 0].tolist()[:9] == [k / 8 for k in range(9)]


@pytest.mark.parametrize(("above", "up_to"), [(0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)])
def test_noise_has_one_energy_in_every_band_and_none_outside(above: float, up_to: float) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = band_noise(torch.zeros(4, 3, 16, 16), above, up_to, generator)
    assert torch.allclose(noise.square().mean((1, 2, 3)), torch.ones(4))
    assert (noise - band(noise, above, up_to)).abs().max() < 1e-5
    assert noise.mean((2, 3)).abs().max() < 1e-6


class Reads(nn.Module):
    """Whether one wave in the first channel is up or down."""

    def __init__(self, cycles: int) -> None:
        super().__init__()
        self.register_buffer("wave", wave(cycles))

    def forward(self, images: Tensor) -> Tensor:
        score = (images[:, 0] * self.wave).mean((1, 2))
        return torch.stack([torch.full_like(score, 1e-3), score], 1)


def two_waves(count: int = 200) -> tuple[Tensor, Tensor]:
    """Images whose class is the sign of a low wave and of a high one."""
    labels = torch.arange(count) % 2
    signs = (2.0 * labels - 1)[:, None, None, None]
    return signs * (wave(2) + wave(7)) + 0.1 * drawn(count, 3, 16, 16), labels


@pytest.mark.parametrize(("cycles", "below", "above"), [(2, 1, 0), (7, 0, 1)])
def test_what_a_network_reads_is_what_it_keeps(cycles: int, below: int, above: int) -> None:
    images, labels = two_waves()
    found = measure(Reads(cycles), images, ["band-accuracy"], labels)["band-accuracy"]
    assert found.values["accuracy"] == 1
    assert found.value == pytest.approx(below, abs=0.2)
    assert found.values["above 0.5"] == pytest.approx(above, abs=0.2)


def test_a_network_at_chance_keeps_nothing_of_nothing() -> None:
    images, labels = two_waves()
    found = measure(Reads(5), images, ["band-accuracy"], torch.zeros_like(labels))["band-accuracy"]
    assert found.value is None and "most frequent class" in found.reason


@pytest.mark.parametrize(("cycles", "harmed", "unharmed"), [(2, "low", "high"), (7, "high", "low")])
def test_noise_harms_where_a_network_reads(cycles: int, harmed: str, unharmed: str) -> None:
    images, labels = two_waves()
    images[:, 1] += 30 * wave(1)  # what is not read sets the strength of the noise
    found = measure(Reads(cycles), images, ["band-noise"], labels)["band-noise"]
    assert found.values["clean"] > 0.99
    assert found.values[unharmed] > 0.99 > found.values[harmed]
    assert found.value == found.values["high"] - found.values["low"]
