"""Activation functions as curves: value, slopes, steepness, and what they do to a normal signal.

    gain(f, s).second_moment = E[f(sz)^2] / s^2        forward (arXiv 1502.01852, section 2.2)
    gain(f, s).variance      = Var f(sz) / s^2
    gain(f, s).slope         = E[f'(sz)^2]             backward (the same section)

for a standard normal z. He's initialisation multiplies the variance of weights by
1 / second_moment, which for ReLU is 2 at every scale s; for other curves it depends on s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Curve = Callable[[Tensor], Tensor]

CURVES: Mapping[str, Curve] = {
    "relu": torch.relu,
    "leaky-relu": F.leaky_relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "selu": F.selu,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "gelu-tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
# Where one of them has a kink, or may have: integrals are taken between these.
_KINKS = (-3.0, 0.0, 3.0, 6.0)
_REACH = 12  # standard deviations: beyond, the normal density is below 1e-31
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def slope(curve: Curve, x: Tensor, order: int = 1) -> Tensor:
    """The first or second derivative of a curve, at each of the values: the shape of `x`.

    At a kink it is torch's: 0 for ReLU at 0, whose second derivative is 0 everywhere.

    >>> slope(torch.relu, torch.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    with torch.enable_grad():
        found = at = x.detach().clone().requires_grad_()
        found = curve(found.clone())  # a copy: `nn.ReLU(inplace=True)` is a curve, too
        for step in range(order):
            if not found.requires_grad:
                return torch.zeros_like(x)
            (found,) = torch.autograd.grad(
                found.sum(), at, create_graph=step + 1 < order, materialize_grads=True
            )
    return found.detach()


def lipschitz(curve: Curve) -> float:
    """The steepest slope of a curve: on a grid of 1/1000 from -20 to 20, and on both sides of
    kinks; off by less than 1e-6.

    >>> round(lipschitz(CURVES["gelu"]), 4)
    1.1289
    """
    grid = torch.arange(-20_000, 20_001, dtype=torch.float64) / 1000
    beside = torch.tensor(_KINKS, dtype=torch.float64) + torch.tensor([[-1e-9], [1e-9]])
    return slope(curve, torch.cat([grid, beside.flatten()])).abs().max().item()


@dataclass(frozen=True, slots=True)
class Gain:
    """What a curve does to a normal signal of one standard deviation; see this module's head."""

    second_moment: float
    variance: float
    slope: float


def gain(curve: Curve, deviation: float = 1.0) -> Gain:
    """The gains by quadrature: Gauss's, between kinks and deviations, exact to about 1e-12.

    >>> gain(torch.relu, 3.0).second_moment
    0.5
    """
    ends = deviation * np.arange(-_REACH, _REACH + 1.0)
    ends = np.unique([*ends, *(kink for kink in _KINKS if abs(kink) < ends[-1])])
    half = np.diff(ends)[:, None] / 2
    points = torch.from_numpy((ends[:-1, None] + half * (1 + _NODES)).ravel())
    z = points / deviation
    density = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5 / deviation
    weights = torch.from_numpy((half * _WEIGHTS).ravel()) * density

    def mean(values: Tensor) -> float:
        return float(weights @ values)

    value = curve(points.clone())
    return _gain(mean(value), mean(value**2), mean(slope(curve, points) ** 2), deviation)


def counted_gain(curve: Curve, deviation: float, draws: int, generator: torch.Generator) -> Gain:
    """The same by counting, on so many draws: what `gain` is checked against."""
    x = deviation * torch.randn(draws, generator=generator, dtype=torch.float64)
    value = curve(x.clone())
    return _gain(value.mean().item(), value.square().mean().item(),
                 slope(curve, x).square().mean().item(), deviation)  # fmt: skip


def _gain(mean: float, square: float, slope: float, deviation: float) -> Gain:
    square, mean = round(square, 14), round(mean, 14)  # the integrals are no better
    return Gain(square / deviation**2, (square - mean**2) / deviation**2, round(slope, 14))
