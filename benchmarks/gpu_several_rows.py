"""A candidate for the depthwise convolution, which a GPU has still to measure: as `convolve` of
`nextify.network.kernels.convolution`, but a thread owns several neighbouring rows of an image, so
that a pixel that it loads serves all of them. Compiled for sm_90 (Triton 3.8), 7 x 7 in bfloat16,
the inner loop takes 77 instructions for a value with four rows and 72 with two rows of two
channels, where `convolve` takes 89.

gpu_kernels.py measures it beside `convolve`; what wins there moves into the kernels' room.
"""

from math import isqrt
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from nextify.network.kernels import launch, tiles
from nextify.network.kernels.tiles import Tile


@triton.jit
def _column(first, stride, live, COUNT: tl.constexpr):
    """A pixel of each of so many rows, `first` in the first one; zero where no row is `live`."""
    pixels = ()
    for i in tl.static_range(COUNT):
        pixels = pixels + (tl.load(first + i * stride, live[i], 0.0),)
    return pixels


@triton.jit(do_not_specialize=["groups", "height", "width"])
def convolve(
    x, taps, bias, rest, copy, y, groups, height, width, channels,
    SIDE: tl.constexpr, DOWN: tl.constexpr, ACROSS: tl.constexpr, FLIP: tl.constexpr,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr, OWN: tl.constexpr,
):  # fmt: skip
    """As the kernel of this name, of groups of `OWN` rows: the last of an image may lack some."""
    UP: tl.constexpr = DOWN // 2
    BEFORE: tl.constexpr = ACROSS // 2
    HELD: tl.constexpr = DOWN + OWN - 1
    local = tl.arange(0, ROWS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    weights = ()
    for t in tl.static_range(DOWN * ACROSS):
        tap = (t // ACROSS + (SIDE - DOWN) // 2) * SIDE + t % ACROSS + (SIDE - ACROSS) // 2
        if FLIP:
            tap = SIDE * SIDE - 1 - tap
        weight = tl.load(taps + tap * channels + channel, inside, 0.0)
        weights = weights + (weight.to(tl.float32),)
    start = tl.zeros((ROWS, CHANNELS), tl.float32)
    if bias is not None:
        start += tl.load(bias + channel, inside, 0.0).to(tl.float32)
    stride = width * channels
    of_image = tl.cdiv(height, OWN)
    for block in range(tl.program_id(0), tl.cdiv(groups, ROWS), tl.num_programs(0)):
        group = block * ROWS + local
        line = group % of_image * OWN
        row = group // of_image * height + line
        exists = inside & (group < groups)
        live = ()
        for i in tl.static_range(HELD):
            live = live + (exists & (line + (i - UP) >= 0) & (line + (i - UP) < height),)
        offset = row.to(tl.int64) * stride + channel
        sums = ()
        for _ in tl.static_range(OWN * ACROSS):
            sums = sums + (start,)
        first = x + offset - UP * stride
        ahead = _column(first, stride, live, HELD)
        for column in range(width):
            pixels = ahead
            out = offset + (column - BEFORE) * channels
            if copy is not None:
                for r in tl.static_range(OWN):
                    at = copy + offset + r * stride + column * channels
                    tl.store(at, pixels[UP + r].to(copy.dtype.element_ty), live[UP + r])
            following = tl.minimum(column + 1, width - 1)
            ahead = _column(first + following * channels, stride, live, HELD)
            for i in tl.static_range(HELD):
                pixel = pixels[i].to(tl.float32)
                met = ()
                for r in tl.static_range(OWN):
                    for j in tl.static_range(ACROSS):
                        if (i - r >= 0) and (i - r < DOWN):
                            own = weights[(i - r) * ACROSS + j]
                            met = met + (sums[r * ACROSS + j] + pixel * own,)
                        else:
                            met = met + (sums[r * ACROSS + j],)
                sums = met
            moved = ()
            for r in tl.static_range(OWN):
                value = sums[r * ACROSS + ACROSS - 1]
                mask = live[UP + r] & (column >= BEFORE)
                if rest is not None:
                    value += tl.load(rest + out + r * stride, mask, 0.0).to(tl.float32)
                tl.store(y + out + r * stride, value.to(y.dtype.element_ty), mask)
                moved = moved + (start,)
                for j in tl.static_range(ACROSS - 1):
                    moved = moved + (sums[r * ACROSS + j],)
            sums = moved
        for j in tl.static_range(BEFORE):  # the last outputs, which reach beyond the row
            column = width - BEFORE + j
            for r in tl.static_range(OWN):
                mask = live[UP + r] & (column >= 0)
                value = sums[r * ACROSS + ACROSS - 1 - j]
                at = offset + r * stride + column * channels
                if rest is not None:
                    value += tl.load(rest + at, mask, 0.0).to(tl.float32)
                tl.store(y + at, value.to(y.dtype.element_ty), mask)


class Way(NamedTuple):
    """Rows and channels of a thread, and how many such programs are started for a multiprocessor:
    by registers it has room for these on sm_90, or in some of the types that are convolved."""

    rows: int
    channels: int
    resident: int

    def tile(self, channels: int, warps: int = 4) -> Tile:
        """What a program does at a time: `rows` are groups."""
        across = min(32, tiles.power_of_two(channels))
        return Tile(32 * warps * self.channels // across, across, warps, self.resident)


WAYS = {
    "rows 4/3": Way(4, 1, 3),
    "rows 4/4": Way(4, 1, 4),
    "rows 2/4": Way(2, 1, 4),
    "rows 2x2/2": Way(2, 2, 2),
    "rows 2x2/3": Way(2, 2, 3),
}


def convolved(
    x: Tensor, taps: Tensor, bias: Tensor | None, flip: bool, own: int, tile: Tile, *,
    rest: Tensor | None = None, copy: Tensor | None = None, dtype: torch.dtype | None = None,
) -> Tensor:  # fmt: skip
    """As `launch.convolve`, with `own` rows a thread."""
    count, height, width, channels = x.shape
    side, groups = isqrt(taps.shape[0]), count * -(-height // own)
    y = torch.empty_like(x, dtype=dtype)
    convolve[launch.grid_of(tile, x, groups, channels)](
        x, taps, bias, rest, copy, y, groups, height, width, channels, SIDE=side,
        DOWN=tiles.reachable(side, height), ACROSS=tiles.reachable(side, width), FLIP=flip,
        ROWS=tile.rows, CHANNELS=tile.channels, OWN=own, num_warps=tile.warps,
    )  # fmt: skip
    return y
