"""Activation functions as curves, against closed forms, scipy's integrals and a count."""

import math

import pytest
import torch
from scipy import integrate
from scipy.stats import norm
from torch import nn

from nextify.probes.activation_curves import CURVES, counted_gain, gain, lipschitz, slope

GRID = torch.linspace(-6, 6, 601, dtype=torch.float64)


def test_the_slopes_of_gelu_are_their_closed_forms() -> None:
    x = GRID.numpy()
    first, second = (slope(CURVES["gelu"], GRID, order).numpy() for order in (1, 2))
    assert first == pytest.approx(norm.cdf(x) + x * norm.pdf(x), abs=1e-12)
    assert second == pytest.approx((2 - x**2) * norm.pdf(x), abs=1e-12)


@pytest.mark.parametrize("name", CURVES)
def test_slopes_are_those_of_differences(name: str) -> None:
    curve, h = CURVES[name], 1e-5
    x = GRID + 0.0037  # off every kink
    difference = (curve(x + h) - curve(x - h)) / (2 * h)
    assert slope(curve, x).numpy() == pytest.approx(difference.numpy(), abs=1e-8)
    change = (slope(curve, x + h) - slope(curve, x - h)) / (2 * h)
    assert slope(curve, x, 2).numpy() == pytest.approx(change.numpy(), abs=1e-7)


@pytest.mark.parametrize(
    ("name", "steepest"),
    [
        ("relu", 1.0),
        ("gelu", norm.cdf(2**0.5) + 2**0.5 * norm.pdf(2**0.5)),  # where (2 - x^2) is 0
        ("silu", 1.0998393),
        ("hardswish", 1.5),
        ("sigmoid", 0.25),
        ("tanh", 1.0),
    ],
)
def test_the_steepest_slope(name: str, steepest: float) -> None:
    assert lipschitz(CURVES[name]) == pytest.approx(steepest, abs=1e-6)


def test_the_gains_of_relu_are_known_at_every_scale() -> None:
    for deviation in (0.1, 1.0, 7.0):
        found = gain(CURVES["relu"], deviation)
        assert found.second_moment == pytest.approx(0.5, abs=1e-12)
        assert found.variance == pytest.approx(0.5 - 0.5 / math.pi, abs=1e-12)
        assert found.slope == pytest.approx(0.5, abs=1e-12)
    leaky = gain(CURVES["leaky-relu"], 2.0)
    assert leaky.second_moment == pytest.approx((1 + 0.01**2) / 2, abs=1e-12)


@pytest.mark.parametrize("deviation", [0.5, 2.0])
@pytest.mark.parametrize("name", CURVES)
def test_gains_are_scipys_integrals(name: str, deviation: float) -> None:
    def value(z: float, power: int) -> float:
        x = torch.tensor(deviation * z, dtype=torch.float64)
        return CURVES[name](x).item() ** power * norm._pdf(z)

    kinks = [kink / deviation for kink in (-3, 0, 3, 6)]
    mean, square = (
        integrate.quad(value, -12, 12, (power,), points=kinks, epsabs=1e-10, limit=200)[0]
        for power in (1, 2)
    )
    found = gain(CURVES[name], deviation)
    assert found.second_moment * deviation**2 == pytest.approx(square, abs=1e-9)
    assert found.variance * deviation**2 == pytest.approx(square - mean**2, abs=1e-9)


@pytest.mark.parametrize("name", ["relu", "gelu", "hardswish"])
def test_gains_are_those_of_a_count(name: str) -> None:
    exact = gain(CURVES[name], 1.5)
    counted = counted_gain(CURVES[name], 1.5, 200_000, torch.Generator().manual_seed(0))
    for field in ("second_moment", "variance", "slope"):
        assert getattr(counted, field) == pytest.approx(getattr(exact, field), rel=0.02)


def test_a_module_that_writes_over_its_input_is_a_curve_too() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert slope(nn.ReLU(inplace=True), x).tolist() == [0.0, 1.0]
    assert x.tolist() == [-1.0, 2.0]
