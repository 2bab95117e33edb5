"""Triton kernels of layer normalisation: maps are (pixels, copies, C), normalised over C, with a
scale and a shift for each copy and channel. C is a constant, so that rows of 24 are read by 8."""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["rows"])
def normalise(
    x, scale, shift, z, eps, rows, copies,
    WIDTH: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """z = (x - mean) / sqrt(variance + eps) * scale + shift, of each of pixels * copies rows."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    channel = tl.arange(0, CHANNELS)[None, :] + row * 0
    inside = channel < WIDTH
    mask = inside & (row < rows)
    at = row.to(tl.int64) * WIDTH + channel
    value = tl.load(x + at, mask, 0.0).to(tl.float32)
    mean = tl.sum(value, 1)[:, None] / WIDTH
    centred = tl.where(inside, value - mean, 0.0)
    rate = tl.rsqrt(tl.sum(centred * centred, 1)[:, None] / WIDTH + eps)
    of = row % copies * WIDTH + channel
    gain = tl.load(scale + of, inside, 0.0).to(tl.float32)
    lift = tl.load(shift + of, inside, 0.0).to(tl.float32)
    tl.store(z + at, (centred * rate * gain + lift).to(z.dtype.element_ty), mask)


@triton.jit(do_not_specialize=["pixels"])
def normalise_backward(
    x, scale, grad, grad_x, partial, eps, pixels, copies,
    WIDTH: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The gradient of x, and partial[program] of (2, copies, C): sums over this program's pixels
    for the gradients of scale and shift. A program has one copy. The statistics are worked out
    again: x is at hand."""
    copy = tl.program_id(1)
    local = tl.arange(0, PIXELS)[:, None]
    channel = tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < WIDTH
    gain = tl.load(scale + copy * WIDTH + channel, inside, 0.0).to(tl.float32)
    grad_scale = tl.zeros((PIXELS, CHANNELS), tl.float32)
    grad_shift = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(pixels, PIXELS), tl.num_programs(0)):
        pixel = block * PIXELS + local
        mask = inside & (pixel < pixels)
        at = (pixel.to(tl.int64) * copies + copy) * WIDTH + channel
        value = tl.load(x + at, mask, 0.0).to(tl.float32)
        above = tl.load(grad + at, mask, 0.0).to(tl.float32)
        mean = tl.sum(value, 1)[:, None] / WIDTH
        centred = tl.where(inside, value - mean, 0.0)
        rate = tl.rsqrt(tl.sum(centred * centred, 1)[:, None] / WIDTH + eps)
        unit = centred * rate
        grad_scale += above * unit
        grad_shift += above
        inner = above * gain
        along = tl.sum(inner * centred, 1)[:, None] * rate / WIDTH
        below = (inner - tl.sum(inner, 1)[:, None] / WIDTH - unit * along) * rate
        tl.store(grad_x + at, below.to(grad_x.dtype.element_ty), mask)
    last = tl.arange(0, CHANNELS)
    out = partial + (tl.program_id(0) * 2 * copies + copy) * WIDTH + last
    tl.store(out, tl.sum(grad_scale, 0), last < WIDTH)
    tl.store(out + copies * WIDTH, tl.sum(grad_shift, 0), last < WIDTH)
