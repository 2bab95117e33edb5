"""The spectrum of feature maps: closed forms, and the formula of its authors."""

import math

import pytest
import torch
from torch import Tensor, nn

from nextify.probes import Subject, Undefined, measure
from nextify.probes.kinds.feature_frequency import PROBE
from nextify.probes.spectra import COMMON, at_common, log_amplitudes, mirrored


def as_published(maps: Tensor) -> Tensor:
    """The whole complex spectrum, shifted, and half of its diagonal less the centre."""
    spectrum = (
        (torch.fft.fft2(maps).abs() + 1e-6).log().roll([s // 2 for s in maps.shape[2:]], (2, 3))
    )
    half = spectrum.mean((0, 1)).diagonal()[maps.shape[-1] // 2 :]
    return half - half[0]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("side", [14, 15, 16])
def test_the_curve_is_the_published_one(side: int) -> None:
    maps = drawn(3, 4, side, side) + 1
    curve = log_amplitudes(maps).mean(0)
    assert torch.allclose(curve - curve[0], as_published(maps))


def test_white_noise_is_flat_and_above_zero_by_half_the_logarithm_of_two() -> None:
    curve = log_amplitudes(drawn(400, 10, 16, 16)).mean(0)
    # E log |real| = -(gamma + log 2) / 2, E log |complex| = -gamma / 2, of unit power.
    assert torch.allclose(curve[1:] - curve[0], torch.tensor(math.log(2) / 2).double(), atol=0.06)
    assert (curve[1:] - curve[1:].mean()).abs().max() < 0.03


def test_a_cosine_along_the_diagonal_is_one_peak() -> None:
    steps = torch.arange(16, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * 3 * (steps[:, None] + steps) / 16)[None, None]
    curve = log_amplitudes(wave)[0]
    assert curve.argmax() == 3
    assert curve[3].item() == pytest.approx(math.log(16 * 16 / 2), abs=1e-6)
    assert curve[[0, 1, 2, 4, 5, 6, 7]].max() < math.log(2e-6)


def test_a_gaussian_blur_falls_as_its_own_transform() -> None:
    side, sigma = 32, 1.5
    maps = drawn(8, 4, side, side)
    frequency = torch.fft.fftfreq(side)
    kept = torch.exp(-2 * (math.pi * sigma) ** 2 * (frequency[:, None] ** 2 + frequency**2))
    blurred = torch.fft.ifft2(torch.fft.fft2(maps) * kept).real
    fall = (log_amplitudes(blurred) - log_amplitudes(maps)).mean(0)
    k = torch.arange(8)  # where it is still far above 1e-6
    assert torch.allclose(fall[:8], -((2 * math.pi * sigma * k / side) ** 2).double(), atol=1e-3)


def test_a_mirrored_map_has_the_spectrum_of_the_cosine_transform() -> None:
    maps = drawn(2, 3, 7, 7)
    k, n = torch.arange(7.0).double()[:, None], torch.arange(7.0).double()
    cosines = torch.cos(math.pi * k * (n + 0.5) / 7)
    expected = 4 * torch.einsum("ky,bcyx,kx->bck", cosines, maps, cosines).abs()
    assert torch.allclose(log_amplitudes(mirrored(maps)), (expected + 1e-6).log().mean(1))


def test_maps_of_all_sizes_are_read_at_the_same_frequencies() -> None:
    assert at_common(torch.arange(7.0), 14) == pytest.approx(range(7))
    assert at_common(2 * torch.arange(28.0) / 56, 56) == pytest.approx(COMMON)


class Blurs(nn.Module):
    """A block that lets the mean and the lowest frequencies pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 5, 1, 2)


class Keeps(Blurs):
    def forward(self, x: Tensor) -> Tensor:
        return x


def network(*blocks: nn.Module, stem: int = 1) -> nn.Module:
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(nn.AvgPool2d(stem), nn.Sequential(*blocks), *ends)


def test_a_block_that_blurs_has_fewer_high_frequencies() -> None:
    images = drawn(20, 3, 28, 28).float()
    names = ["feature-frequency", "mirrored-frequency"]
    kept, blurred = (measure(network(kind()), images, names) for kind in (Keeps, Blurs))
    assert all(blurred[name].value < kept[name].value - 1 for name in names)
    assert kept["feature-frequency"].value == pytest.approx(math.log(2) / 2, abs=0.3)
    assert kept["mirrored-frequency"].value == pytest.approx(-math.log(2), abs=0.3)


def test_small_maps_are_refused_and_mirrored_ones_are_read() -> None:
    images = drawn(4, 3, 28, 28).float()
    found = measure(network(Keeps(), stem=4), images, ["feature-frequency", "mirrored-frequency"])
    assert "7 x 7 pixels, too few" in found["feature-frequency"].reason
    assert found["mirrored-frequency"].value is not None


def test_maps_that_are_not_square_are_refused_as_such() -> None:
    with pytest.raises(Undefined, match="64 x 128 pixels, and is not square"):
        PROBE.measure(Subject(network(Keeps(), stem=1), drawn(1, 3, 64, 128).float()))
    with pytest.raises(Undefined, match="14 x 12 pixels, and is not square"):
        PROBE.measure(Subject(network(Keeps(), stem=2), drawn(4, 3, 28, 24).float()))
