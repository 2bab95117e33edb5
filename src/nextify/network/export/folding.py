"""Exact folds: a factor and a shift per channel go into the linear layer beside them.

A sequence is first written in parts that do one thing: a batch norm that has ended its training and
a layer scale are factors and shifts; a layer norm is a normalisation, and then such. What a linear
layer stands beside on either side is then multiplied into its weights, in float64.
"""

from collections.abc import Iterable
from typing import TypeVar

from torch import Tensor, nn

L = TypeVar("L", bound=nn.Conv2d | nn.Linear)


class Affine(nn.Module):
    """x * weight + bias, of each channel: (N, ..., C) to the same; (N, C, H, W) with `last` off."""

    def __init__(self, weight: Tensor, bias: Tensor, last: bool = False) -> None:
        super().__init__()
        self.weight, self.bias, self.last = (
            nn.Parameter(weight, False),
            nn.Parameter(bias, False),
            last,
        )

    @staticmethod
    def of_batch_norm(norm: nn.BatchNorm2d) -> "Affine":
        """What a batch norm is in evaluation."""
        assert norm.running_mean is not None and norm.running_var is not None
        weight = norm.weight / (norm.running_var + norm.eps).sqrt()
        return Affine(weight, norm.bias - norm.running_mean * weight)

    def forward(self, x: Tensor) -> Tensor:
        shape = (-1,) if self.last else (-1, 1, 1)
        return x * self.weight.view(shape) + self.bias.view(shape)


def folded(parts: Iterable[nn.Module]) -> list[nn.Module]:
    """The parts of a sequence, with every factor and shift in the linear layer beside it, or in a
    layer norm; where there is none of these, as they are."""
    done: list[nn.Module] = []
    for part in parts:
        match (done[-1] if done else None), part:
            case (nn.Conv2d() | nn.Linear() | Affine()) as before, Affine():
                done[-1] = _then(before, part)
            case Affine() as before, nn.Conv2d(padding=(0, 0), groups=1) | nn.Linear():
                done[-1] = _after(before, part)
            case _:
                done.append(part)
    return _with_norms(done)


def _with_norms(parts: list[nn.Module]) -> list[nn.Module]:
    """Where a layer norm is followed by a factor and a shift still, these are its own."""
    done: list[nn.Module] = []
    for part in parts:
        match (done[-1] if done else None), part:
            case nn.LayerNorm() as norm, Affine():
                norm.weight, norm.bias = part.weight, part.bias
            case _:
                done.append(part)
    return done


def _then(layer: nn.Module, affine: Affine) -> nn.Module:
    """A layer, and then a factor and a shift of its outputs, as one layer."""
    match layer:
        case nn.Conv2d() | nn.Linear():
            rows = affine.weight.view(-1, *[1] * (layer.weight.ndim - 1))
            return _with(layer, layer.weight * rows, affine.weight * _bias(layer) + affine.bias)
        case Affine():
            shift = affine.weight * layer.bias + affine.bias
            return Affine(affine.weight * layer.weight, shift)
    raise AssertionError(layer)


def _after(affine: Affine, layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """A factor and a shift of its inputs, and then a layer, as one layer. Of a convolution without
    padding: the zeros around an image would not be shifted."""
    rows = layer.weight.flatten(2) if layer.weight.ndim > 2 else layer.weight[:, :, None]
    shift = (rows * affine.bias[:, None]).sum((1, 2))
    columns = affine.weight.view(-1, *[1] * (layer.weight.ndim - 2))
    return _with(layer, layer.weight * columns, _bias(layer) + shift)


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    return layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias


def _with(layer: L, weight: Tensor, bias: Tensor) -> L:
    layer.weight, layer.bias = nn.Parameter(weight, False), nn.Parameter(bias, False)
    return layer


def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """A linear layer of these weights, (outputs, inputs), which are copied."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    return _with(
        layer, weight.clone(), weight.new_zeros(len(weight)) if bias is None else bias.clone()
    )


def convolution(of: nn.Conv2d) -> nn.Conv2d:
    """The same convolution by torch's own operator."""
    sides, shape = (of.in_channels, of.out_channels), (of.kernel_size, of.stride, of.padding)
    own = nn.Conv2d(*sides, *shape, groups=of.groups, device="meta")  # type: ignore[arg-type]
    return _with(own, of.weight, _bias(of))
