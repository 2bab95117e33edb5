"""Networks on which shifts are exact: convolutions that wrap around."""

from torch import Tensor, nn


class Wrapping(nn.Sequential):
    """A block: two 3 x 3 convolutions that wrap around, the first with a stride, and GELU."""

    def __init__(self, inputs: int, outputs: int, stride: int, smooth: bool = True) -> None:
        first = nn.Conv2d(inputs, outputs, 3, stride, 1, padding_mode="circular")
        second = nn.Conv2d(outputs, outputs, 3, 1, 1, padding_mode="circular")
        super().__init__(first, nn.GELU() if smooth else nn.Identity(), second)


class Means(nn.Module):
    """Class scores: the mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def wrapping(*strides: int, smooth: bool = True) -> nn.Module:
    """A stage a stride, in double precision."""
    stages = [
        nn.Sequential(Wrapping(4 if at else 3, 4, stride, smooth))
        for at, stride in enumerate(strides)
    ]
    return nn.Sequential(*stages, Means()).double().eval().requires_grad_(False)
