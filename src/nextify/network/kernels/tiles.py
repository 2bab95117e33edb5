"""How a kernel's work is cut up: chosen by shape, from measurements (benchmarks/gpu_kernels.py),
and never timed at run time, so that a run gives the same bits every time."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tile:
    """What a program does at a time: so many rows (or pixels) times so many channels (a power of
    two), by so many warps of 32 threads. `resident` of them at most are started for each of a
    card's multiprocessors, which has room for these at once; 0: one for each tile."""

    rows: int
    channels: int
    warps: int
    resident: int = 0

    def programs(self, rows: int, beside: int, processors: int) -> int:
        """How many go through so many rows on a card of so many multiprocessors, with `beside`
        such columns: all at once, since one program too many takes as long as all of them.

        >>> [Tile(8, 32, 4, resident=3).programs(10_000, 3, of) for of in (132, 108)]
        [132, 108]
        """
        down = -(-rows // self.rows)
        return min(down, max(1, self.resident * processors // beside)) if self.resident else down


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
    taps = max(reachable(kernel, height), reachable(kernel, width))
    held = 4 if taps <= 3 else 2 if taps <= 7 else 1
    across = min(64 if taps <= 3 else 32, power_of_two(channels))
    return Tile(128 * held // across, across, 4, 0 if taps <= 3 else _resident(taps, channels))


def _resident(taps: int, channels: int) -> int:
    # By the registers that Triton 3.8 takes for sm_90: 168 at most of 512, but more where it cannot
    # tell that rows begin at a multiple of 16, and for 121 taps.
    return 2 if taps > 9 or (taps == 7 and channels % 16) else 3


def convolve_tile(kernel: int, height: int, width: int, channels: int) -> Tile:
    """For the forward pass, and the gradient of the input."""
    return _depthwise(kernel, height, width, channels)


def correlate_tile(kernel: int, height: int, width: int, channels: int) -> Tile:
    """For the gradient of the weight."""
    taps = max(reachable(kernel, height), reachable(kernel, width))
    tile = _depthwise(kernel, height, width, channels)
    return replace(tile, resident=_resident(taps, channels))


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
    return Tile(max(1, 2048 // across), across, 4, 4)


def scale_tile(channels: int) -> Tile:
    """For layer scale and the residual."""
    across = min(128, power_of_two(channels))
    return Tile(2048 // across, across, 4, 8)


SIDES = (1, 64)  # of maps, smallest and largest, where ours is not slower than cuDNN
KERNELS = (3, 5, 7, 9, 11)


def wins(kernel: int, stride: int, height: int, width: int) -> bool:
    """Whether our depthwise convolution beats torch's operator, forward and backward together."""
    fits = SIDES[0] <= min(height, width) and max(height, width) <= SIDES[1]
    return stride == 1 and kernel in KERNELS and fits
