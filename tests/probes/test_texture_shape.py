"""Texture against shape: networks of which it is known what they read."""

import pytest
import torch
from torch import Tensor, nn

from nextify.probes import measure
from nextify.probes.kinds.texture_shape import mixed

CLASSES, SIDE = 3, 16


def drawn(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, SIDE, SIDE, generator=generator) + 0.5


TEMPLATES = drawn(CLASSES, 0)


class Reads(nn.Module):
    """The class whose amplitudes, or phases, are the nearest."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def forward(self, images: Tensor) -> Tensor:
        here, there = self._read(images), self._read(TEMPLATES)
        return -(here[:, None] - there).abs().square().flatten(2).sum(2)

    def _read(self, images: Tensor) -> Tensor:
        spectrum = torch.fft.fft2(images)
        return spectrum.abs() if self.what == "amplitude" else spectrum / spectrum.abs()


class Answers(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.eye(CLASSES + 1)[[CLASSES] * len(images)]


def images() -> tuple[Tensor, Tensor]:
    labels = torch.arange(60) % CLASSES
    return TEMPLATES[labels] + 0.01 * drawn(60, 1), labels


@pytest.mark.parametrize(("what", "value"), [("amplitude", 0), ("phase", 1)])
def test_what_a_network_reads_is_what_is_found(what: str, value: float) -> None:
    found = measure(Reads(what), *images()[:1], ["texture-shape"], images()[1])["texture-shape"]
    assert found.value == value and found.values["coverage"] == 1


def test_a_network_that_answers_one_class_follows_both_alike() -> None:
    pixels, labels = images()
    network = nn.Sequential(Answers(), nn.Linear(CLASSES + 1, CLASSES))
    found = measure(network, pixels, ["texture-shape"], labels)["texture-shape"]
    assert found.value == pytest.approx(0.5, abs=0.2)
    assert found.values["coverage"] == pytest.approx(2 / CLASSES, abs=0.2)


def test_there_is_a_reason_where_no_answer_counts() -> None:
    pixels, labels = images()
    found = measure(Answers(), pixels, ["texture-shape"], labels)["texture-shape"]
    assert found.value is None and "no answer" in found.reason
    one = measure(Answers(), pixels, ["texture-shape"], 0 * labels)["texture-shape"]
    assert "two classes" in one.reason


@pytest.mark.parametrize("side", [8, 9])
def test_a_mixed_image_has_the_amplitudes_of_one_and_the_phases_of_the_other(side: int) -> None:
    a, b = (drawn(2, seed)[..., :side, :side].double() for seed in (1, 2))
    spectra = [torch.fft.fft2(each) for each in (mixed(a, b), a, b)]
    both, texture, shape = spectra
    assert torch.allclose(both.abs(), texture.abs())
    turned = (both * shape.conj())[..., 1:, :]  # the mean has the sign of the amplitudes' image
    assert torch.allclose(turned.imag, torch.zeros(()).double(), atol=1e-9)
    assert (turned.real > 0).all()
    assert torch.allclose(mixed(a, a), a)


def test_the_same_pixels_are_mixed_however_images_are_normalised() -> None:
    a, b = (drawn(2, seed).double().abs() for seed in (1, 2))
    assert torch.allclose(mixed((a - 0.7) / 0.2, (b - 0.7) / 0.2) * 0.2 + 0.7, mixed(a, b))
