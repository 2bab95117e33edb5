"""How a kernel's work is cut up: chosen by shape, from measurements (benchmarks/gpu_kernels.py),
and never timed at run time, so that a run gives the same bits every time."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tile:
    """What a program does at a time: so many rows (or pixels) times so many channels (a power of
    two), by so many warps of 32 threads. `programs` at most are started, 0: one for each tile."""

    rows: int
    channels: int
    warps: int
    programs: int = 0


def power_of_two(least: int) -> int:
    """The smallest one that is not below.

    >>> [power_of_two(least) for least in (1, 24, 32, 33)]
    [1, 32, 32, 64]
    """
    return 1 << (least - 1).bit_length()


def reachable(kernel: int, side: int) -> int:
    """How many taps of an axis reach one pixel of it from another.

    >>> [reachable(7, side) for side in (1, 2, 3, 4, 56)]
    [1, 3, 5, 7, 7]
    """
    return min(kernel, 2 * side - 1)


def _depthwise(kernel: int, height: int, width: int, channels: int) -> Tile:
    # A thread keeps all taps of its channels: of 7 x 7 it can hold two times 49, and 121 once.
    # Three such programs fit one of 132 processors.
    taps = max(reachable(kernel, height), reachable(kernel, width))
    held = 4 if taps <= 3 else 2 if taps <= 7 else 1
    across = min(64 if taps <= 3 else 32, power_of_two(channels))
    return Tile(128 * held // across, across, 4, 0 if taps <= 3 else 396)


def convolve_tile(kernel: int, height: int, width: int, channels: int) -> Tile:
    """For the forward pass, and the gradient of the input."""
    return _depthwise(kernel, height, width, channels)


def correlate_tile(kernel: int, height: int, width: int, channels: int) -> Tile:
    """For the gradient of the weight."""
    tile = _depthwise(kernel, height, width, channels)
    return replace(tile, programs=396)


def wins_weight(kernel: int, batch: int, height: int, width: int, channels: int) -> bool:
    """Whether our gradients of weight and bias beat cuDNN's, and a sum for the bias, in bfloat16.

    cuDNN has kernels of its own for up to 7 x 7, and they are faster for 3 x 3, and where our
    second pass, over partial sums, is not small beside the first.
    """
    much = batch * height * width * channels >= 4_000_000
    return max(height, width) <= 2 or kernel > 7 or (kernel >= 5 and much)


def norm_tile(channels: int) -> Tile:
    """For layer normalisation: whole pixels, eight channels a thread or so."""
    across = power_of_two(channels)
    return Tile(max(1, 2048 // across), across, 4, 528)


def scale_tile(channels: int) -> Tile:
    """For layer scale and the residual."""
    across = min(128, power_of_two(channels))
    return Tile(2048 // across, across, 4, 1056)


SIDES = (1, 64)  # of maps, smallest and largest, where ours is not slower than cuDNN
KERNELS = (3, 5, 7, 9, 11)


def wins(kernel: int, stride: int, height: int, width: int) -> bool:
    """Whether our depthwise convolution beats torch's operator, forward and backward together."""
    fits = SIDES[0] <= min(height, width) and max(height, width) <= SIDES[1]
    return stride == 1 and kernel in KERNELS and fits
