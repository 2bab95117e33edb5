"""Shifts: of crops, of maps, and of less than a pixel."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.kinds.equivariance_error import errors
from nextify.probes.kinds.shift_consistency import agreement, shifted
from nextify.probes.moving import moved, slopes
from probes.circular import Means, wrapping


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("side", [7, 8])
def test_moving_by_whole_pixels_is_moving_pixels(side: int) -> None:
    x = torch.rand(2, side, side + 3, dtype=torch.float64)
    assert torch.allclose(moved(x, 2, -3, "circular"), x.roll((2, -3), (1, 2)))
    mirrored = moved(x, 2, 0)
    assert torch.allclose(mirrored[:, 2:], x[:, :-2])
    assert torch.allclose(mirrored[:, :2], x[:, :2].flip(1))


@pytest.mark.parametrize("side", [7, 8])
def test_moving_by_less_is_a_phase_of_its_frequencies(side: int) -> None:
    x = np.random.default_rng(0).normal(size=(side, side))
    spectrum = np.fft.fft2(x)
    wave = np.fft.fftfreq(side)
    shift = np.exp(-2j * np.pi * (wave[:, None] * 0.3 + wave * -1.6))
    if side % 2 == 0:  # the highest frequency keeps what is real of its phase
        ends = [np.exp(-2j * np.pi * wave * by) for by in (0.3, -1.6)]
        for end in ends:
            end[side // 2] = end[side // 2].real
        shift = np.outer(*ends)
    wanted = np.fft.ifft2(spectrum * shift).real
    assert np.allclose(moved(torch.tensor(x), 0.3, -1.6, "circular").numpy(), wanted)


@pytest.mark.parametrize("edges", ["circular", "mirrored"])
def test_slopes_are_what_small_moves_change(edges) -> None:
    x, step = torch.rand(3, 9, 8, dtype=torch.float64), 1e-5
    down = (moved(x, -step, 0, edges) - moved(x, step, 0, edges)) / (2 * step)
    across = (moved(x, 0, -step, edges) - moved(x, 0, step, edges)) / (2 * step)
    for found, wanted in zip(slopes(x, edges), (down, across), strict=True):
        assert torch.allclose(found, wanted, atol=1e-8)


def test_slopes_of_a_wave_are_those_of_a_sine() -> None:
    angle = 2 * torch.pi * torch.arange(16, dtype=torch.float64) / 16
    down, across = slopes((3 * angle).sin().expand(4, 16), "circular")
    assert torch.allclose(across, (3 * angle).cos().expand(4, 16) * 3 * 2 * torch.pi / 16)
    assert torch.allclose(down, torch.zeros_like(down), atol=1e-12)


def test_places_are_drawn_for_each_image_and_differ() -> None:
    images = torch.rand(60, 3, 32, 28)
    views, places = shifted(images, seeded(), 4, "mirrored")
    assert views.shape == (4, 60, 3, 32, 28)
    assert places.amax((0, 1)).tolist() == [4, 3] and places.min() == 0
    flat = places[..., 0] * 4 + places[..., 1]
    assert all(len(set(row)) == 4 for row in flat.tolist())
    assert len(set(map(tuple, flat.tolist()))) > 50  # and not one draw for the batch
    down, across = places[5, 2].tolist()
    larger = np.pad(images[5].numpy(), ((0, 0), (2, 2), (1, 2)), mode="reflect")
    assert np.array_equal(views[2, 5].numpy(), larger[:, down : down + 32, across : across + 28])


class Corner(nn.Module):
    """Class 1 where one pixel near the corner is lit, else class 0."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self.row, self.column = row, column

    def forward(self, x: Tensor) -> Tensor:
        lit = x[:, 0, self.row, self.column] > 0.5
        return torch.stack([~lit, lit], 1).float()


def test_a_network_that_only_counts_agrees_with_itself() -> None:
    images = torch.rand(20, 3, 16, 16)
    same, _ = agreement(Means(), images, seeded(), "circular")
    assert same.mean() == 1
    found = measure(Means(), torch.rand(20, 3, 16, 16) * 1e-3 + torch.eye(3)[0][:, None, None],
                    ["shift-consistency"])["shift-consistency"]  # fmt: skip
    assert found.value == 1 and found.values == {"standard error": 0}
    assert set(found.curves["agreement"]) == {1}


def test_a_network_that_looks_at_one_pixel_agrees_as_often_as_by_chance() -> None:
    """Each image has one lit pixel; of its 25 crops, one has it where the network looks, so that
    two of them agree unless one of them is that: 1 - 2 / 25."""
    images = torch.zeros(2000, 3, 32, 32)
    images[:, :, 15, 15] = 1
    same, apart = agreement(Corner(15, 15), images, seeded())
    assert float(same.mean()) == pytest.approx(1 - 2 / 25, abs=0.008)
    assert apart.min() == 1 and apart.max() == 4


def test_shifts_by_the_stride_agree_where_all_wraps_around() -> None:
    network, images = wrapping(2, 2, 1), torch.rand(3, 3, 24, 24, dtype=torch.float64)
    shifts = list(range(1, 13))
    first = errors(network, images, ["0.0"], shifts, "circular")[0]
    second = errors(network, images, ["1.0"], shifts, "circular")[0]
    for found, stride in ((first, 2), (second, 4)):
        for shift, error in zip(shifts, found, strict=True):
            assert error < 1e-10 if shift % stride == 0 else error > 1e-3
    # Off the stride, errors come again with it: they depend on what is left over.
    assert second[0] == pytest.approx(second[4]) and second[1] == pytest.approx(second[5])


def test_errors_of_maps_that_do_not_move_and_of_maps_that_do() -> None:
    """A map that is the image itself has no error; one in which places are mixed up for good has
    nothing in common with one that moves."""
    images = torch.randn(40, 3, 16, 16)
    row = nn.Sequential(nn.Sequential(Mixed()), Means())
    mixed = errors(row, images, ["0.0.still"], [1, 3], "circular")[0]
    assert errors(row, images, ["0.0.same"], [1, 3], "circular")[0] == pytest.approx(
        [0, 0], abs=1e-9
    )
    assert mixed == pytest.approx([1, 1], abs=0.05)


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.same, self.still = nn.Identity(), nn.Identity()
        self.order = torch.randperm(256, generator=seeded(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.same(x)
        return self.still(x.flatten(2)[:, :, self.order].reshape(x.shape))


def test_a_network_has_an_error_for_each_stage_and_shift() -> None:
    found = measure(wrapping(2, 2).float(), torch.rand(4, 3, 32, 32), ["equivariance-error"])
    error = found["equivariance-error"]
    assert error.curves["shift"] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(error.values) == ["stage1", "stage2"]
    assert error.value == pytest.approx(sum(error.values.values()) / 2)
    assert all(len(error.curves[stage]) == 8 for stage in error.values)


def test_a_map_of_one_position_has_no_error() -> None:
    """Its error would be 1 by construction, whatever the network does."""
    images = torch.rand(4, 3, 32, 32)
    deep = measure(build(design("resnet50"), 10), images, ["equivariance-error"])
    error = deep["equivariance-error"]
    assert list(error.values) == ["stage1", "stage2", "stage3"] and max(error.values.values()) < 1
    assert error.value == pytest.approx(sum(error.values.values()) / 3)
    assert "stage4" not in error.curves
    (none,) = measure(wrapping(16, 2).float(), images[..., :16, :], ["equivariance-error"]).values()
    assert none.value is None and "one position only" in none.reason and not none.failed
